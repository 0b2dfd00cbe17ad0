"""Writes the README's table of comparisons from what the benchmarks measured. Nothing in it is typed.

python docs/comparison.py
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
README, RESULTS = ROOT / "README.md", ROOT / "benchmarks" / "results"
PLACE = re.compile(r"(<!-- comparison: written by docs/comparison.py -->\n).*(<!-- end of comparison -->)", re.DOTALL)
HEADER = (
    "the same model, rows and budget",
    "probe",
    "peer",
    "probe's time / the peer's",
    "probe's error / the peer's",
)


def main() -> None:
    """Write the table into the README."""
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")


def written(readme: str) -> str:
    """The README with the table in its place."""
    return PLACE.sub(lambda place: place[1] + table() + place[2], readme)


def table() -> str:
    """The table, with the machine and the versions below it."""
    explainers, shapley = read("explainers"), read("shapley")
    rows = [HEADER, ("---",) * len(HEADER), *of_tables(explainers), *of_images(shapley)]
    others = {name: read(name) for name in OTHERS if (RESULTS / f"{name}.json").exists()}
    for name, told in others.items():
        rows += OTHERS[name](told)
    lines = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    versions = {
        name: version for told in (explainers, shapley, *others.values()) for name, version in told["versions"].items()
    }
    named = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    note = (
        "Below 1 probe is faster, or has the smaller error. *Robust* images are classified correctly after the attack, "
        "so fewer are a stronger attack; *rows* are what the network was asked.\n"
        f"Medians of runs in turn, in one process. {explainers['machine']}; {named}.\n"
        f"Errors are distances from the values of {shapley['truth']}, in the median.\n"
        "The scripts, with every figure: `benchmarks/`."
    )
    return f"{lines}\n\n{note}\n"


def of_tables(told: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Explainers of a table beside shap and lime."""
    for title, peer in (("KernelShap beside shap.KernelExplainer", "shap"), ("Lime beside lime", "lime")):
        for setting, found in told[title].items():
            name = f"{title.split()[0]} of `adult-mlp`, {setting}"
            yield name, seconds(found["ours"]), f"{peer} {seconds(found['peer'])}", times(found["ratio"]), ""


def of_images(told: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """KernelShap of images beside captum, at the batch size at which captum is fastest."""
    for network, sides in told["networks"].items():
        ours = sides["probe"]
        name = min(
            (side for side in sides if side.startswith("captum")), key=lambda side: median(sides[side]["seconds"])
        )
        peer = sides[name]
        ratio = median(ours["seconds"]) / median(peer["seconds"])
        error = median(ours["error"]) / median(peer["error"])
        yield (
            f"KernelShap of 49 squares, {network}",
            seconds(median(ours["seconds"])),
            f"{name.replace(',', '')} {seconds(median(peer['seconds']))}",
            times(ratio),
            times(error),
        )


def of_attacks(told: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """PGD beside each peer, with the images that stay correct and the rows that were asked; lower is better in both."""
    for network, sides in told["networks"].items():
        ours = sides["probe"]
        for name, peer in sides.items():
            if name != "probe":
                case = f"PGD-20 of `{network}`, {ours['images']} images, Linf 0.1"
                found = [f"{side['robust images']} robust, {side['rows asked']:,} rows" for side in (ours, peer)]
                yield timed(case, ours["seconds"], found[0], name, peer["seconds"], found[1])


def of_queries(told: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Attacks by queries, and with minimal changes, with the images that stay correct or the median length."""
    for attack, sides in told["attacks"].items():
        ours = sides["probe"]
        for name, peer in sides.items():
            if name != "probe":
                case = f"{attack}, {ours['images']} images"
                found = [f"{reached(attack, side)}, {side['rows asked']:,} rows" for side in (ours, peer)]
                yield timed(case, ours["seconds"], found[0], name, peer["seconds"], found[1])
        for name, alike in ours.get("at the strength of", {}).items():
            if alike["reached"]:
                case, took = (
                    f"{attack.split(',')[0]}, at the strength of {name}, {ours['images']} images",
                    alike["seconds"],
                )
                found = [reached(attack, side) for side in (alike, sides[name])]
                yield timed(case, took["probe"], found[0], name, took["peer"], found[1])


def timed(case: str, ours: float, found: str, name: str, theirs: float, they_found: str) -> tuple[str, ...]:
    """A row of what both sides found in some seconds."""
    return case, f"{seconds(ours)}, {found}", f"{name} {seconds(theirs)}, {they_found}", times(ours / theirs), ""


def reached(attack: str, side: dict[str, Any]) -> str:
    """What an attack reached, by its measure."""
    return f"{side['robust images']} robust" if attack.startswith("Square") else f"median L2 {side['median L2']:.3g}"


def of_metrics(told: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Metrics of explanations beside quantus; the answers are equal."""
    for metric, found in told["metrics"].items():
        ours, peer = (found["sides"][side]["seconds"] for side in ("probe", "quantus"))
        yield f"{metric} of `fashion-cnn`", seconds(ours), f"quantus {seconds(peer)}", times(ours / peer), ""


def of_explanations(told: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Explanations of images, or of a table's rows, with equal answers, or at equal error."""
    for name, found in told["cases"].items():
        ours, peer = (found["sides"][side]["seconds"] for side in ("probe", found["peer"]))
        rows = "rows of `adult-mlp`" if name.endswith("of_rows") else "images of `fashion-cnn`"
        yield (
            f"{TITLES[name]}, {found['images']} {rows}",
            seconds(ours),
            f"{found['peer'].replace(',', '')} {seconds(peer)}",
            times(ours / peer),
            "",
        )


def of_bounds(told: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Certificates by bounds beside auto_LiRPA, with the images that are certified."""
    for network, methods in told["networks"].items():
        for method in ("IBP", "CROWN-IBP", "CROWN"):
            ours, peer = (methods[method][side] for side in ("probe", "auto_LiRPA"))
            yield (
                f"{method} of `{network}`, {methods['images']} images, Linf {methods['radius']:g}",
                f"{seconds(ours['seconds'])}, {ours['certified']} certified",
                f"auto_LiRPA {seconds(peer['seconds'])}, {peer['certified']} certified",
                times(ours["seconds"] / peer["seconds"]),
                "",
            )


def of_groups(told: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Rates of groups beside fairlearn; the rates are equal."""
    ours = told["sides"]["probe"]["seconds"]
    for name, peer in told["sides"].items():
        if name != "probe":
            peers = f"{name} {seconds(peer['seconds'])}"
            yield (
                "every table, interval and test of a bias audit",
                seconds(ours),
                peers,
                times(ours / peer["seconds"]),
                "",
            )


def of_training(told: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Trainings beside lightning, with the loss of the validation rows after the last epoch."""
    for network, found in told["networks"].items():
        ours, peer = (found["sides"][side] for side in ("probe", "lightning"))
        epochs = f"{found['epochs']} epoch" + "s" * (found["epochs"] > 1)
        yield (
            f"training of `{network}`, {epochs} of {found['rows']:,} rows",
            f"{seconds(ours['seconds'])}, loss {ours['loss']:.4f}",
            f"lightning {seconds(peer['seconds'])}, loss {peer['loss']:.4f}",
            times(ours["seconds"] / peer["seconds"]),
            "",
        )


TITLES = {
    "smooth_grad": "SmoothGrad of 50 copies", "grad_cam": "GradCAM", "lrp": "LRP by the epsilon rule",
    "occlusion": "Occlusion, 4 x 4 by 2", "integrated_gradients": "IntegratedGradients to 1 % of the sum",
    "integrated_gradients_of_rows": "IntegratedGradients to 1 % of the sum",
    "lime": "Lime of 40 superpixels at equal error",
}  # fmt: skip
# What is written where its file is there.
OTHERS = {
    "images": of_explanations, "pgd": of_attacks, "black_box": of_queries, "bounds": of_bounds, "quality": of_metrics,
    "fairness": of_groups, "trainers": of_training,
}  # fmt: skip


def read(name: str) -> dict[str, Any]:
    """The results of a benchmark."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def median(found: dict[str, float]) -> float:
    """The median of a measurement."""
    return found["median"]


def seconds(value: float) -> str:
    """Seconds to three digits."""
    return f"{value:.3g} s"


def times(ratio: float) -> str:
    """A ratio to two digits."""
    return f"{ratio:.2f}"


if __name__ == "__main__":
    main()
