"""Containers that change while the engine copies or converts them, and mappings that are none."""

from __future__ import annotations

from typing import Any

import pytest
from graphs import Pipeline

from pyflink import _native
from pyflink.common import Row

T = _native.LogicalType


class Shrinking:
    """Empties a container when it is copied or converted."""

    def __init__(self, container: Any) -> None:
        self.container = container

    def __deepcopy__(self, memo: Any) -> Shrinking:
        self.container.clear()
        return Shrinking(None)

    def __index__(self) -> int:
        self.container.clear()
        return 1


def shrinking_list() -> list[Any]:
    out: list[Any] = []
    out.extend([Shrinking(out), *([i] for i in range(50))])
    return out


def shrinking_dict() -> dict[str, Any]:
    out: dict[str, Any] = {}
    out["first"] = Shrinking(out)
    out.update({str(i): [i] for i in range(50)})
    return out


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (shrinking_list, "list changed size during copy"),
        (shrinking_dict, "dict changed size during copy"),
        (lambda: [shrinking_list()], "list changed size during copy"),
    ],
)
def test_a_container_that_shrinks_while_it_is_copied(make: Any, text: str) -> None:
    with pytest.raises(RuntimeError, match=text):
        Pipeline().source([0]).add("flat_map", function=lambda _: [make()]).collect()
    with pytest.raises(RuntimeError, match=text):
        Pipeline().source([make()])


def test_a_collection_that_shrinks_while_it_is_read() -> None:
    with pytest.raises(RuntimeError, match="list changed size during copy"):
        Pipeline().source(shrinking_list())
    with pytest.raises(RuntimeError, match="list changed size during conversion"):
        Pipeline().source(shrinking_list(), T.simple("big_int"))


def test_a_dict_whose_entries_are_replaced_without_an_end() -> None:
    class Replacing:
        def __init__(self, entries: dict[int, Any]) -> None:
            self.entries = entries

        def __deepcopy__(self, memo: Any) -> Replacing:
            last = max(self.entries)
            del self.entries[last]
            self.entries[last + 1] = Replacing(self.entries)
            return self

    entries: dict[int, Any] = {}
    entries.update({0: Replacing(entries), 1: Replacing(entries)})
    with pytest.raises(RuntimeError, match="dict changed size during copy"):
        Pipeline().source([entries])


def test_a_row_whose_fields_are_set_while_it_is_copied() -> None:
    class Setting:
        def __init__(self, row: Any) -> None:
            self.row = row

        def __deepcopy__(self, memo: Any) -> str:
            self.row[0] = "gone"
            return "copied"

    row = Row(None, 2)
    row[0] = Setting(row)
    assert Pipeline().source([row]).collect() == [Row("copied", 2)]


def test_a_map_that_shrinks_while_it_is_converted() -> None:
    def make(_: Any) -> dict[str, Any]:
        out: dict[str, Any] = {}
        out["first"] = Shrinking(out)
        out.update({str(i): i for i in range(50)})
        return out

    type_ = T.map(T.simple("string"), T.simple("big_int"))
    with pytest.raises(RuntimeError, match="dict changed size during conversion"):
        Pipeline().source([0]).add("map", function=make, output_type=type_).collect()
    with pytest.raises(RuntimeError, match="dict changed size during"):
        Pipeline().source([make(0)], type_)


def test_a_list_that_shrinks_while_it_is_converted_is_taken_as_it_was() -> None:
    def make(_: Any) -> list[Any]:
        out: list[Any] = []
        out.extend([Shrinking(out), *range(50)])
        return out

    type_ = T.array(T.simple("big_int"))
    pipeline = Pipeline().source([0]).add("map", function=make, output_type=type_)
    assert pipeline.collect() == [[1, *range(50)]]
