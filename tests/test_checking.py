"""While tests run, what `probe` says of types and shapes is checked."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pytest
import torch
from jaxtyping import Float, TypeCheckError
from torch import Tensor

from probe.model import Model
from probe.tensors import wide
from tests import checking
from tests.checking import begin_test, jaxtyped

if TYPE_CHECKING:
    from nowhere import Unknown


@jaxtyped
def product(a: Float[Tensor, "rows inner"], b: Float[Tensor, "inner columns"]) -> Float[Tensor, "rows columns"]:
    return a @ b if len(a) < 5 else b


@jaxtyped
def counted(count: int, names: tuple[str, ...] = ()) -> list[int]:
    return [count] * len(names) if count < 5 else "many"


@jaxtyped
@dataclass
class Row:
    values: Float[Tensor, " features"]
    weights: Float[Tensor, " features"]


@pytest.fixture
def every_call_is_checked(monkeypatch):
    monkeypatch.setattr(checking, "EVERY", True)


@pytest.mark.usefixtures("every_call_is_checked")
def test_axes_of_one_name_are_equally_long_in_arguments_and_result():
    assert product(torch.ones(2, 3), torch.ones(3, 4)).shape == (2, 4)
    with pytest.raises(TypeCheckError, match="inner"):
        product(torch.ones(2, 3), torch.ones(4, 4))
    with pytest.raises(TypeCheckError, match="rows columns"):
        product(torch.ones(6, 3), torch.ones(3, 4))


def test_shape_names_are_checked_per_call():
    @jaxtyped
    def both(a: Float[Tensor, "rows inner"]) -> Float[Tensor, "rows rows"]:
        return product(a, product(a.mT, a) @ a.mT)

    assert both(torch.ones(2, 3)).shape == (2, 2)


@pytest.mark.usefixtures("every_call_is_checked")
def test_each_kind_of_result_is_checked_also_where_the_arguments_are_of_kinds_seen_before():
    results = [torch.ones(2, 3), torch.ones(2, 3), torch.ones(3, 3), torch.ones(2, 3).long(), "text"]

    @jaxtyped
    def taken(rows: Float[Tensor, "rows features"], which: int | None) -> Float[Tensor, "rows 3"]:
        return results[which or 0]

    for which in (None, 0, 1):
        assert taken(torch.ones(2, 4), which).shape == (2, 3)
    assert taken(torch.ones(3, 4), 2).shape == (3, 3)
    for which in (2, 3, 4):
        with pytest.raises(TypeCheckError):
            taken(torch.ones(2, 4), which)
    for rows, which in ((torch.ones(2, 4).long(), 1), (torch.ones(2), 1), (torch.ones(2, 4), "1"), ([[1.0]], 1)):
        with pytest.raises(TypeCheckError):
            taken(rows, which)
    assert taken(rows=torch.ones(2, 4), which=None).shape == (2, 3)
    with pytest.raises(TypeCheckError):
        taken(which=torch.ones(2, 4), rows=None)


@pytest.mark.usefixtures("every_call_is_checked")
def test_literal_values_and_the_arguments_of_methods_and_generators_are_checked_at_each_call():
    class Rows(list):
        @jaxtyped
        def scaled(self, rows: Float[Tensor, "rows features"], how: Literal["by one", "by two"]) -> int:
            return len(rows) * len(how)

        @jaxtyped
        def each(self, rows: Float[Tensor, "rows features"], count: int) -> Iterator[int]:
            yield from range(count)

        @jaxtyped
        def counts(self, count: int) -> Iterator[int]:
            yield from range(count)

    given, rows = Rows(), torch.ones(2, 3)
    for _ in range(2):
        assert given.scaled(rows, "by one") == given.scaled(rows, how="by two") == 12
        assert list(given.each(rows, 2)) == list(given.counts(2)) == [0, 1]
        for wrong in (
            lambda: given.scaled(rows, "by three"),
            lambda: given.scaled(rows, how="by three"),
            lambda: given.scaled(rows[0], "by one"),
            lambda: list(given.each(rows, "2")),
            lambda: list(given.each(rows[0], 2)),
            lambda: list(given.counts("2")),
        ):
            with pytest.raises(TypeCheckError):
                wrong()


@pytest.mark.usefixtures("every_call_is_checked")
def test_types_are_checked_where_there_are_no_shapes():
    assert counted(2, ("a", "b")) == [2, 2]
    for wrong in (lambda: counted("2"), lambda: counted(2, [1]), lambda: counted(7)):
        with pytest.raises(TypeCheckError):
            wrong()


def test_fields_of_a_dataclass_are_checked_when_it_is_made():
    assert len(Row(torch.ones(2), torch.ones(2)).values) == 2
    with pytest.raises(TypeCheckError):
        Row(torch.ones(2), torch.ones(3))


def test_an_axis_may_be_as_long_as_an_argument_says():
    @jaxtyped
    def drawn(count: int) -> Float[Tensor, "{count} 2"]:
        return torch.ones(min(count, 3), 2)

    assert len(drawn(3)) == 3
    with pytest.raises(TypeCheckError):
        drawn(4)


def test_names_imported_for_type_checkers_only_are_not_checked():
    @jaxtyped
    def same(value: "Unknown", number: int) -> "Unknown":
        return value

    assert same("x", 1) == "x"
    with pytest.raises(TypeCheckError):
        same("x", "1")


def test_a_signature_stays_as_it_is_written():
    assert list(inspect.signature(counted).parameters) == ["count", "names"]
    assert counted.__annotations__["names"] == tuple[str, ...]


def test_the_first_calls_of_a_test_are_checked_and_then_ever_fewer():
    def refused(wrong):
        try:
            counted(wrong)
        except TypeCheckError:
            return True
        return False

    begin_test("one")
    found = [refused(1.5) for _ in range(20)]
    assert [at for at, was in enumerate(found, 1) if was] == [1, 2, 4, 8, 16]
    begin_test("one")
    assert not refused(1.5)
    begin_test("another")
    assert refused(1.5)


def test_the_functions_of_probe_are_checked():
    model = Model(forward=lambda x: x.flatten(1))
    assert model.logits(torch.ones(2, 3)).shape == (2, 3)
    with pytest.raises(TypeCheckError):
        wide([1.0])
