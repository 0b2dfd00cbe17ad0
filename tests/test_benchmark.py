"""The short form of the benchmark: it fails where an answer is wrong, and only there."""

import pytest

from benchmarks import __main__ as benchmark
from benchmarks import answers, beside, black_box, bounds, fairness, growth, images, quality, sides, trainers
from benchmarks.pgd import EPS
from probe.attacks import CarliniWagner, Square


def side(robust: int, furthest: float = EPS) -> dict[str, object]:
    return {"robust images": robust, "furthest": furthest, "in bounds": True}


def test_a_weak_attack_and_one_that_leaves_its_ball_are_wrong_answers():
    assert list(answers.judged("net", {"probe": side(8), "foolbox": side(8)})) == []
    assert list(answers.judged("net", {"probe": side(10), "foolbox": side(8)})) == [
        "PGD on net leaves 10 images standing, foolbox 8"
    ]
    assert list(answers.judged("net", {"probe": side(8, 2 * EPS)})) == ["PGD on net leaves its ball or the bounds"]


def test_the_short_form_fails_where_an_answer_is_wrong(monkeypatch, capsys):
    monkeypatch.setattr(answers, "CHECKS", {lambda: iter(["rates differ"]): ("torch",)})
    assert benchmark.main(["--short"]) == 1
    assert "rates differ" in capsys.readouterr().out
    monkeypatch.setattr(answers, "CHECKS", {lambda: iter(["not asked"]): ("no_such_peer",)})
    assert benchmark.main(["--short"]) == 0
    assert benchmark.main(["--fast"]) == 2


def test_what_each_comparison_calls_wrong():
    told = {"largest difference": 0.1, "sides": {}}
    assert list(quality.wrong({"infidelity": told})) == ["infidelity differs from quantus' by 0.1 of its largest value"]
    assert list(quality.wrong({"infidelity": told | {"largest difference": 1e-7}})) == []
    assert list(
        images.wrong({"occlusion": {"largest difference": 1e-3}, "lrp": {"largest difference": 1e-3}, "lime": {}})
    ) == ["occlusion differs from captum's by 0.001 of its largest value"]
    behind = {method: {"largest lead of the peer's": 0.5 if method == "CROWN" else -0.5} for method in bounds.METHODS}
    assert list(bounds.wrong({"net": behind})) == [
        "CROWN of net is looser than auto_LiRPA's by 0.5 of the largest logit"
    ]
    assert list(fairness.wrong({"largest difference": {"count": 1.0, "tpr": 0.0}})) == [
        "count differs from fairlearn's by 1"
    ]


def test_a_query_attack_that_finds_less_or_leaves_its_ball_is_wrong():
    def one(robust: int, length: float, furthest: float = black_box.EPS) -> dict[str, object]:
        reached = {"images": 20, "robust images": robust, "median L2": length}
        return reached | {"furthest Linf": furthest, "in bounds": True}

    assert list(black_box.wrong({"Square": {"probe": one(5, 1.0), "art": one(2, 0.1)}})) == []
    assert len(list(black_box.wrong({"Square": {"probe": one(6, 1.0), "art": one(2, 1.0)}}))) == 1
    assert len(list(black_box.wrong({"Square": {"probe": one(5, 1.0, 0.06)}}))) == 1
    assert len(list(black_box.wrong({"HopSkipJump": {"probe": one(0, 2.0, 0.5), "art": one(0, 1.0)}}))) == 1


def test_an_attack_is_as_strong_where_it_leaves_no_more_standing_and_needs_no_larger_changes():
    def one(robust: int, length: float) -> dict[str, object]:
        return {"robust images": robust, "median L2": length}

    assert black_box.as_strong("Square", one(5, 2.0), one(5, 1.0))
    assert not black_box.as_strong("Square", one(6, 1.0), one(5, 1.0))
    assert black_box.as_strong("HopSkipJump", one(0, 1.0), one(0, 1.0))
    assert not black_box.as_strong("HopSkipJump", one(0, 1.1), one(0, 1.0))
    assert not black_box.as_strong("HopSkipJump", one(1, 0.5), one(0, 1.0))
    shorter = black_box.Ours(CarliniWagner(steps=100, rounds=5)).shorter(0.2).attack
    assert isinstance(shorter, CarliniWagner)
    assert (shorter.steps, shorter.rounds) == (50, 2)
    assert black_box.Ours(Square(max_queries=1000)).shorter(0.05).attack == Square(max_queries=50)


def test_the_least_of_ours_that_finds_as_much_is_timed_beside_the_peer():
    asked: list[int] = []

    def tried(short: black_box.Ours) -> tuple[object, dict[str, object]]:
        queries = short.attack.max_queries
        asked.append(queries)
        return (lambda: None), {"robust images": 10 - queries // 10, "median L2": 1.0}

    mine, peer = black_box.Ours(Square(max_queries=100)), {"robust images": 7, "median L2": 1.0}
    found = black_box.at_equal_strength("Square", mine, tried, peer, lambda: sum(range(10**6)), 1)
    assert (found["with"], asked) == (repr(Square(max_queries=30)), [40, 15, 30, 20, 30])
    assert found["share of the peer's processor time"] < 0.5
    never = black_box.at_equal_strength("Square", mine, tried, peer | {"robust images": -1}, lambda: None, 1)
    assert never == {"reached": False}


def test_a_training_that_ends_elsewhere_than_lightnings_is_wrong():
    def told(loss: float) -> dict[str, object]:
        return {"net": {"sides": {"probe": {"loss": loss}, "lightning": {"loss": 0.5}}}}

    assert list(trainers.wrong(told(0.5))) == []
    assert list(trainers.wrong(told(0.52))) == ["net has a loss of 0.5200 after training, and 0.5000 by lightning"]
    assert list(trainers.wrong(told(float("nan"))))


def test_rows_come_in_another_order_in_each_epoch_and_in_the_same_in_each_run():
    order, again = trainers.Order(20), trainers.Order(20)
    first, second = list(order), list(order)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(20))
    assert [list(again), list(again)] == [first, second]


def test_sides_run_in_turn_and_slopes_are_those_of_powers():
    order = []
    given, spent = sides.in_turn({"a": lambda: order.append("a") or 1, "b": lambda: order.append("b") or 2}, 2)
    assert order == ["a", "b"] * 3
    assert given == {"a": 1, "b": 2}
    order.clear()
    assert sides.in_turn({"a": lambda: order.append("a") or 1}, 1, warm=False)[0] == {"a": 1}
    assert order == ["a"]
    assert [len(spent[side]["runs"]) for side in "ab"] == [2, 2]
    assert growth.slope([10, 20, 40], [3.0, 12.0, 48.0]) == 2.0
    told = {"slopes": {"rows asked": 1.1, "processor seconds": 0.9}}
    assert list(growth.off({"rows": {"pgd": told}})) == []
    assert len(list(growth.off({"classes": {"pgd": told}}))) == 1


@pytest.mark.slow
def test_what_is_run_beside_a_busy_loop_runs(capsys):
    exec(beside.WORK.replace("{images}", "2").replace("set_num_threads(2)", "set_num_threads(1)"), {})
    assert float(capsys.readouterr().out) > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the peers
def test_no_answer_of_ours_is_wrong_beside_the_peers():
    assert answers.wrong() == []
