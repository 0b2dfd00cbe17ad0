"""A crew: messages are answered once each, whatever workers are lost."""

import pytest

from probe.engines import crew as crews
from probe.engines import crew_of
from probe.errors import DataError, PlanError
from tests.crews import crew


def doubled():
    return lambda message: 2 * message


def all_of(held):
    return {key: answer.given for key, answer in (held.next() for _ in iter(lambda: held.busy, False))}


def sent(working, messages, home=None, make=doubled):
    held = working.hold(make)
    for message in messages:
        held.send(message, message, home)
    return held


@pytest.mark.parametrize("home", [None, 1, 7])
def test_each_message_is_answered(home):
    working, place = crew(3)
    assert all_of(sent(working, range(1, 9), home)) == {each: 2 * each for each in range(1, 9)}
    working.close()
    assert len(place.stopped) == 3


@pytest.mark.parametrize("fatal", [[3], [1, 2], [3, 3], [None], [None, 4]])
def test_what_a_lost_worker_had_is_asked_again(fatal):
    said = []
    working, place = crew(2, fatal, said.append)
    assert all_of(sent(working, range(1, 9))) == {each: 2 * each for each in range(1, 9)}
    assert sorted(each for each in place.answered if each) == list(range(1, 9))
    assert place.started == 2 + len(fatal)
    assert len(said) == len(fatal)
    assert all("a worker was lost" in line for line in said)


@pytest.mark.parametrize(("fatal", "said"), [([3] * 3, "3 times at 3"), ([None] * 3, "3 times as it began")])
def test_a_message_or_a_start_that_ends_each_worker_ends_the_work(fatal, said):
    working, _ = crew(1, fatal)
    with pytest.raises(ChildProcessError, match=said):
        all_of(sent(working, range(1, 5)))


def test_a_message_behind_one_that_ends_its_worker_is_not_blamed():
    working, _ = crew(1, [1, 1, 2, 2, 3, 3])
    assert all_of(sent(working, [1, 2, 3])) == {1: 2, 2: 4, 3: 6}


def test_an_error_is_the_answer_and_what_cannot_begin_ends_the_work():
    working, _ = crew()

    def picky():
        def answer(message):
            raise DataError(f"no {message}")

        return answer

    held = sent(working, [5], make=picky)
    with pytest.raises(DataError, match="no 5") as raised:
        held.answer(5).given  # noqa: B018  it raises
    assert "in answer" in raised.value.__notes__[0]
    with pytest.raises(ChildProcessError, match="could not begin: division by zero"):
        sent(working, [5], make=lambda: 1 / 0).next()


def test_answers_are_kept_for_whoever_asks_and_what_is_forgotten_is_not_asked():
    working, place = crew(1)
    place.answers.clear()
    held = sent(working, "abcde", make=lambda: str.upper)
    held.forget(["e"])
    place.answers.set()
    assert held.answer("c").given == "C"
    assert held.next()[0] == "a"
    assert [held.next()[0] for _ in iter(lambda: held.busy, False)] == ["b", "d"]
    held = sent(working, "fg", make=lambda: str.upper)
    held.close()
    assert not held.busy
    assert all_of(sent(working, "h", make=lambda: str.title)) == {"h": "H"}
    assert "e" not in place.answered


def test_what_is_held_next_is_asked_before_anybody_has_heard_the_answers_of_what_is_held_now():
    working, place = crew(2)
    one, two = sent(working, [1, 2, 3]), sent(working, [1, 4], make=lambda: lambda message: -message)
    assert all_of(two) == {1: -1, 4: -4}
    assert [each for each in place.answered if each] == [1, 2, 3, 1, 4]
    assert all_of(one) == {1: 2, 2: 4, 3: 6}


def test_what_fails_of_one_thing_that_is_held_leaves_the_others():
    def broken():
        raise DataError("no model")

    working, place = crew(2, [7] * 3)
    place.answers.clear()
    lost, cannot, other = sent(working, [6, 7]), sent(working, [1, 2], make=broken), sent(working, [1, 2])
    place.answers.set()
    assert all_of(other) == {1: 2, 2: 4}
    with pytest.raises(ChildProcessError, match="could not begin: no model"):
        all_of(cannot)
    with pytest.raises(ChildProcessError, match="3 times at 7"):
        all_of(lost)


def test_a_worker_begins_again_with_what_it_survives():
    def fatal():
        raise SystemExit  # ends the worker, as memory that runs out

    working, _ = crew(1)
    assert all_of(sent(working, [1])) == {1: 2}
    with pytest.raises(ChildProcessError, match="3 times at 5"):
        sent(working, [5], make=fatal).next()
    assert all_of(sent(working, [2])) == {2: 4}


def test_memory_that_ran_out_is_known_where_the_answer_arrives():
    def large():
        try:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        except RuntimeError as error:
            raise DataError("the model failed") from error

    working, _ = crew(1)
    held = sent(working, [1], make=lambda: lambda message: large())
    assert isinstance(held.next()[1].error, MemoryError)


def test_an_error_that_cannot_be_sent_is_sent_in_words():
    class Odd(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    def odd(message):
        raise Odd(1, 2)

    working, _ = crew(1)
    error = sent(working, [1], make=lambda: odd).next()[1].error
    assert type(error) is RuntimeError
    assert str(error) == "Odd: 1 and 2"


def test_only_ray_has_a_crew_and_an_unknown_engine_is_refused():
    assert crew_of("processes", 2, print) is None
    assert crew_of("slurm", 2, print) is None
    with pytest.raises(PlanError, match="there are processes, ray, slurm"):
        crew_of("steam", 2, print)
    assert crews.TIMES == 3
