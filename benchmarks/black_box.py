"""Square, Carlini-Wagner and HopSkipJump beside torchattacks, foolbox and ART at the same strength, to JSON.

    python -m benchmarks.black_box               # 100 images, medians of three, 1,000 queries
    python -m benchmarks.black_box 40 1          # of 40 images and one run, for little time
    python -m benchmarks.black_box 20 3 500 Hop  # with 500 queries, and of HopSkipJump alone

Square: the same radius and queries; lower is better where images stand. The other two minimise the L2 change at the
same steps, rounds or queries; the median length of what each finds is compared, and lower is better. Every row that
goes through the network is counted, of images that are wrong from the start too.

Where ours finds more than a peer, it has also worked longer than the comparison needs. So of torchattacks and foolbox
the record tells the fewest queries or steps of `SHORTER` with which ours finds at least as much, found by bisection,
and the seconds of both at that strength, in turns (`at the strength of`). ART, which is slower, is asked once. Each
case is printed as it is done; only a run of all of them is written.
"""

import json
import math
import os
import sys
import warnings
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.sides import Counted, in_turn, there, written
from probe import Model, zoo
from probe.attacks import CarliniWagner, HopSkipJump, Square
from probe.contracts import Attack

PEERS = ("torchattacks", "foolbox", "art")
NETWORK, EPS, RATE = "fashion-cnn", 0.05, 0.05
QUERIES, STEPS, ROUNDS = 1000, 100, 5
LIGHT = 60, 2, 1
FAST = ("torchattacks", "foolbox")  # the peers whose strength ours is cut down to
SHORTER = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # shares of the queries, or of the steps
Side = Callable[[Tensor, Tensor], Tensor]
Make = Callable[[Model, Counted], Side]


@dataclass(frozen=True)
class Ours:
    """One of ours."""

    attack: Attack

    def __call__(self, model: Model, net: Counted) -> Side:
        asked = replace(model, forward=net)
        return lambda images, labels: self.attack(asked, images, labels).perturbed

    def shorter(self, share: float) -> "Ours":
        """With a share of the queries; where there are steps in rounds, of their product, over fewer rounds too."""
        if isinstance(self.attack, CarliniWagner):
            rounds = max(1, round(self.attack.rounds * share**0.5))
            steps = max(1, round(share * self.attack.steps * self.attack.rounds / rounds))
            return Ours(replace(self.attack, steps=steps, rounds=rounds))
        assert isinstance(self.attack, Square | HopSkipJump)
        return Ours(replace(self.attack, max_queries=max(1, round(share * self.attack.max_queries))))


def of_torchattacks(name: str, **settings: Any) -> Make:
    def made(model: Model, net: Counted) -> Side:
        import torchattacks

        return getattr(torchattacks, name)(net, **settings)  # type: ignore[no-any-return]

    return made


def of_foolbox(name: str, **settings: Any) -> Make:
    def made(model: Model, net: Counted) -> Side:
        import foolbox

        attack, asked = getattr(foolbox.attacks, name)(**settings), foolbox.PyTorchModel(net, (0, 1), device="cpu")
        return lambda images, labels: attack(asked, images, labels, epsilons=None)[1]

    return made


def of_art(name: str, **settings: Any) -> Make:
    def made(model: Model, net: Counted) -> Side:
        from art.attacks import evasion
        from art.estimators.classification import PyTorchClassifier

        asked = PyTorchClassifier(net, torch.nn.CrossEntropyLoss(), (1, 28, 28), 10, clip_values=(0.0, 1.0))
        attack = getattr(evasion, name)(asked, verbose=False, **settings)
        return lambda images, labels: torch.as_tensor(attack.generate(images.numpy(), labels.numpy()))

    return made


def attacks(queries: int, steps: int, rounds: int) -> dict[str, dict[str, Make]]:
    """The sides of each attack. Foolbox's and ART's HopSkipJump count steps, not queries: as many as that takes."""
    walks = next(n for n in range(1, 100) if sum(50 * math.sqrt(k + 1) + 40 for k in range(n + 1)) > queries)
    return {
        f"Square, Linf {EPS}, {queries:,} queries": {
            "probe": Ours(Square(eps=EPS, max_queries=queries)),
            "torchattacks": of_torchattacks("Square", eps=EPS, n_queries=queries),
            "art": of_art("SquareAttack", eps=EPS, max_iter=queries, batch_size=512),
        },
        f"Carlini-Wagner, L2, {rounds} rounds of {steps} steps": {
            "probe": Ours(CarliniWagner(steps=steps, rounds=rounds, rate=RATE)),
            "foolbox": of_foolbox(
                "L2CarliniWagnerAttack", steps=steps, binary_search_steps=rounds, stepsize=RATE, initial_const=1.0
            ),
            # One weight of the margin, in as many steps. ART searches for the length of each step, and takes minutes.
            "torchattacks": of_torchattacks("CW", c=1.0, steps=steps * rounds, lr=RATE),
        },
        f"HopSkipJump, L2, about {queries:,} queries": {
            "probe": Ours(HopSkipJump(max_queries=queries)),
            "foolbox": of_foolbox(
                "HopSkipJumpAttack", steps=walks, initial_gradient_eval_steps=50, max_gradient_eval_steps=10_000
            ),
            "art": of_art("HopSkipJump", max_iter=walks, init_eval=50, max_eval=10_000, init_size=50),
        },
    }


def as_strong(name: str, mine: dict[str, Any], peer: dict[str, Any]) -> bool:
    """Whether ours leaves no more images standing, and where it minimises a change, needs none larger."""
    fewer: bool = mine["robust images"] <= peer["robust images"]
    return fewer and (name.startswith("Square") or mine["median L2"] <= peer["median L2"])


def found_by(model: Model, images: Tensor, labels: Tensor, moved: Tensor) -> dict[str, Any]:
    """What an attack reached: images that stand, and the changes of those that fell."""
    right = model.predict(images) == labels
    fell = right & (model.predict(moved.clamp(0, 1)) != labels)
    change = (moved - images).flatten(1)[fell]
    return {
        "images": len(images),
        "correct": int(right.sum()),
        "robust images": int((right & ~fell).sum()),
        "median L2": round(float(change.norm(dim=1).median()), 4) if len(change) else math.nan,
        "furthest Linf": round(float(change.abs().max()), 6) if len(change) else 0.0,
        "in bounds": bool((moved >= -1e-6).all() and (moved <= 1 + 1e-6).all()),
    }


def beside(images: int, repeats: int, made: dict[str, dict[str, Make]]) -> dict[str, dict[str, Any]]:
    """Of each attack what every side that is installed reaches, and the seconds and rows that it takes."""
    model, data = zoo.load(NETWORK), zoo.data("fashion-mnist", split="test")[slice(0, images)]
    told: dict[str, dict[str, Any]] = {}
    few = {name.split(",")[0]: makes for name, makes in attacks(*LIGHT).items()}
    for name, makes in made.items():
        light = few[name.split(",")[0]]
        nets = {side: Counted(model.forward).eval() for side in makes if side == "probe" or there([side])}
        sides = {side: makes[side](model, net) for side, net in nets.items()}
        print(f"{name}: {', '.join(sides)}", file=sys.stderr, flush=True)
        calls = {
            side: (lambda attack=attack: attack(data.inputs, data.labels).detach()) for side, attack in sides.items()
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the peers
            for side, net in nets.items():  # one image and few queries warm up
                light[side](model, net)(data.inputs[:1], data.labels[:1])
                net.rows = 0
            often = {side: call for side, call in calls.items() if side not in PEERS or side in FAST}
            moved, seconds = in_turn(often, repeats, warm=False)
            rare, once = in_turn({side: call for side, call in calls.items() if side not in often}, 1, warm=False)
        told[name] = {
            side: found_by(model, data.inputs, data.labels, (moved | rare)[side].float())
            | {"rows asked": nets[side].rows // (repeats if side in often else 1)}
            | (seconds | once)[side]
            for side in sides
        }
        mine = makes["probe"]
        assert isinstance(mine, Ours)

        @cache
        def tried(short: Ours) -> tuple[Callable[[], Tensor], dict[str, Any]]:
            side = short(model, Counted(model.forward).eval())
            call = partial(side, data.inputs, data.labels)
            return call, found_by(model, data.inputs, data.labels, call().float())

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            told[name]["probe"]["at the strength of"] = {
                side: at_equal_strength(name, mine, tried, told[name][side], calls[side], repeats)
                for side in often
                if side != "probe"
            }
        print(json.dumps({name: told[name]}, indent=1), file=sys.stderr, flush=True)
    return told


def at_equal_strength(
    name: str,
    mine: Ours,
    tried: Callable[[Ours], tuple[Callable[[], Tensor], dict[str, Any]]],
    peer: dict[str, Any],
    theirs: Callable[[], Tensor],
    repeats: int,
) -> dict[str, Any]:
    """The least of ours that finds what a peer does, by bisection, and the seconds of both in turns."""
    fits = bisect_left(SHORTER, 1, key=lambda share: int(as_strong(name, tried(mine.shorter(share))[1], peer)))
    if fits == len(SHORTER):
        return {"reached": False}
    short = mine.shorter(SHORTER[fits])
    call, found = tried(short)
    _, seconds = in_turn({"probe": call, "peer": theirs}, repeats, warm=False)
    return {
        "reached": True,
        "with": repr(short.attack),
        **{key: found[key] for key in ("robust images", "median L2")},
        "seconds": {who: each["seconds"] for who, each in seconds.items()},
        "processor": {who: each["processor"] for who, each in seconds.items()},
        "share of the peer's processor time": round(seconds["probe"]["processor"] / seconds["peer"]["processor"], 3),
    }


def wrong(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """What is wrong with ours: out of bounds or of the ball, or an attack that finds much less than a peer."""
    for name, sides in found.items():
        mine, slack = sides["probe"], 2 + sides["probe"]["images"] // 20
        if not mine["in bounds"] or (name.startswith("Square") and mine["furthest Linf"] > EPS + 1e-5):
            yield f"{name} leaves its ball or the bounds"
        for side, each in sides.items():
            if mine["robust images"] > each["robust images"] + slack:
                yield f"{name} leaves {mine['robust images']} images standing, {side} {each['robust images']}"
            if not name.startswith("Square") and mine["median L2"] > 1.25 * each["median L2"]:
                yield f"{name} needs changes of {mine['median L2']} in the median, {side} of {each['median L2']}"


def main(images: int = 100, repeats: int = 3, queries: int = QUERIES, only: str = "") -> None:
    torch.set_num_threads(2)
    load = os.getloadavg()[0]
    made = attacks(queries, STEPS, ROUNDS)
    if only:
        beside(images, repeats, {name: made[name] for name in made if name.startswith(only)})
        return
    found = beside(images, repeats, made)
    written(
        "black_box",
        f"{NETWORK}, first {images} test images, medians of {repeats}",
        PEERS,
        {"attacks": found, "wrong": list(wrong(found))},
        load,
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), *sys.argv[4:5])
