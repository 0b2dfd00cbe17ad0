"""A crew: messages are answered once each, whatever workers are lost."""

import pytest

from probe.engines import crew as crews
from probe.engines import crew_of
from probe.errors import DataError, PlanError
from tests.crews import crew


def doubled():
    return lambda message: 2 * message


def all_of(working):
    return dict(working.next() for _ in iter(lambda: working.busy, False))


def sent(working, messages, home=None):
    working.hold(doubled)
    for message in messages:
        working.send(message, message, home)
    return {key: answer.given for key, answer in all_of(working).items()}


@pytest.mark.parametrize("home", [None, 1, 7])
def test_each_message_is_answered(home):
    working, place = crew(3)
    assert sent(working, range(1, 9), home) == {each: 2 * each for each in range(1, 9)}
    working.close()
    assert len(place.stopped) == 3


@pytest.mark.parametrize("fatal", [[3], [1, 2], [3, 3], [None], [None, 4]])
def test_what_a_lost_worker_had_is_asked_again(fatal):
    said = []
    working, place = crew(2, fatal, said.append)
    assert sent(working, range(1, 9)) == {each: 2 * each for each in range(1, 9)}
    assert sorted(each for each in place.answered if each) == list(range(1, 9))
    assert place.started == 2 + len(fatal)
    assert len(said) == len(fatal)
    assert all("a worker was lost" in line for line in said)


@pytest.mark.parametrize(("fatal", "said"), [([3] * 3, "3 times at 3"), ([None] * 3, "3 times as it began")])
def test_a_message_or_a_start_that_ends_each_worker_ends_the_work(fatal, said):
    working, _ = crew(1, fatal)
    with pytest.raises(ChildProcessError, match=said):
        sent(working, range(1, 5))


def test_a_message_behind_one_that_ends_its_worker_is_not_blamed():
    working, _ = crew(1, [1, 1, 2, 2, 3, 3])
    assert sent(working, [1, 2, 3]) == {1: 2, 2: 4, 3: 6}


def test_an_error_is_the_answer_and_what_cannot_begin_ends_the_work():
    working, _ = crew()

    def picky():
        def answer(message):
            raise DataError(f"no {message}")

        return answer

    working.hold(picky)
    working.send("a", 5)
    with pytest.raises(DataError, match="no 5") as raised:
        working.answer("a").given  # noqa: B018  it raises
    assert "in answer" in raised.value.__notes__[0]
    working.hold(lambda: 1 / 0)
    working.send("a", 5)
    with pytest.raises(ChildProcessError, match="could not begin: division by zero"):
        working.next()


def test_answers_are_kept_for_whoever_asks_and_forgotten_with_what_was_held():
    working, place = crew(1)
    working.hold(doubled)
    for key in "abcde":
        working.send(key, ord(key))
    assert working.answer("c").given == 2 * ord("c")
    assert working.next()[0] == "a"
    working.forget(["e"])
    assert [working.next()[0] for _ in iter(lambda: working.busy, False)] == ["b", "d"]
    assert ord("e") not in place.answered
    working.send("f", 1)
    working.hold(lambda: lambda message: -message)
    working.send("g", 1)
    assert {key: answer.given for key, answer in all_of(working).items()} == {"g": -1}


def test_memory_that_ran_out_is_known_where_the_answer_arrives():
    def large():
        try:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        except RuntimeError as error:
            raise DataError("the model failed") from error

    working, _ = crew(1)
    working.hold(lambda: lambda message: large())
    working.send("a", 1)
    assert isinstance(working.next()[1].error, MemoryError)


def test_an_error_that_cannot_be_sent_is_sent_in_words():
    class Odd(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    def odd(message):
        raise Odd(1, 2)

    working, _ = crew(1)
    working.hold(lambda: odd)
    working.send("a", 1)
    error = working.next()[1].error
    assert type(error) is RuntimeError
    assert str(error) == "Odd: 1 and 2"


def test_only_ray_has_a_crew_and_an_unknown_engine_is_refused():
    assert crew_of("processes", 2, print) is None
    assert crew_of("slurm", 2, print) is None
    with pytest.raises(PlanError, match="there are processes, ray, slurm"):
        crew_of("steam", 2, print)
    assert crews.TIMES == 3
