"""The short form of the benchmark: it fails where an answer is wrong, and only there."""

import pytest

from benchmarks import __main__ as benchmark
from benchmarks import answers
from benchmarks.pgd import EPS


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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the peers
def test_no_answer_of_ours_is_wrong_beside_the_peers():
    assert answers.wrong() == []
