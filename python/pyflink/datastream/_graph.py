"""The program as the API builds it, and its translation into the engine's stream graph.

A :class:`Transformation` is one operator; a stream is a list of :class:`Edge`, so that union, side
outputs and partitioning are ways to write edges and need no operators of their own. Nothing here
runs records.
"""

from __future__ import annotations

import sys

from pyflink.common.typeinfo import (
    PickledBytesTypeInfo,
    RowTypeInfo,
    TypeInformation,
    type_hint,
)

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyflink import _native
    from pyflink.datastream.output_tag import OutputTag
    from pyflink.datastream.stream_execution_environment import StreamExecutionEnvironment

# kinds whose functions can yield `tag, value`
_SIDE_OUTPUT_KINDS = frozenset({"process", "co_process", "broadcast_process", "window"})

# kinds a side output is looked for above: upstream runs them in one operator with what they follow
_TRANSPARENT_KINDS = frozenset({"map", "filter", "flat_map", "timestamps", "convert"})

_SINK_KINDS = frozenset({"sink", "print", "collect", "python_sink"})
_SOURCE_KINDS = frozenset({"collection", "source", "python_source"})


class Edge:
    """One input of an operator.

    From which operator, which of its outputs, and how records are distributed.
    """

    __slots__ = ("custom", "input", "key_selector", "partitioner", "source", "tag")

    def __init__(
        self,
        source: Transformation,
        partitioner: str | None = None,
        *,
        tag: str | None = None,
        custom: Any = None,
        key_selector: Any = None,
        input: int = 0,
    ) -> None:
        self.source = source
        self.partitioner = partitioner
        self.tag = tag
        self.custom = custom
        self.key_selector = key_selector
        self.input = input

    def partitioned(
        self, partitioner: str | None, custom: Any = None, key_selector: Any = None
    ) -> Edge:
        """The same records, distributed otherwise."""
        return Edge(
            self.source, partitioner, tag=self.tag, custom=custom, key_selector=key_selector
        )

    def into(self, input: int) -> Edge:
        """The same edge to another input of its target."""
        return Edge(
            self.source,
            self.partitioner,
            tag=self.tag,
            custom=self.custom,
            key_selector=self.key_selector,
            input=input,
        )


def _users_place() -> str:
    """The line of the script that called this package, as ``file:line``."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("pyflink."):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def add_note(error: BaseException, note: str) -> None:
    """``BaseException.add_note``, also for Python 3.10."""
    notes = getattr(error, "__notes__", None)
    if notes is None:
        notes = []
        error.__notes__ = notes  # type: ignore[attr-defined]  # Python 3.11 knows it
    if note not in notes:
        notes.append(note)


def note_place(error: BaseException, places: dict[str, list[str]]) -> None:
    """Adds where the operator was made that `error` names, in its notes or its message."""
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith("in ")]
    for text in notes or [str(error)]:
        for name, lines in places.items():
            if f"operator '{name}'" in text or f"source '{name}'" in text:
                add_note(error, f"{name!r} was made at {' or '.join(lines[:4])}")
                return


def check_job_name(name: Any, method: str) -> None:
    """Refuses what is no name of a job."""
    if name is not None and not isinstance(name, str):
        raise TypeError(f"{method}() needs a text as name of the job, got {name!r}")


class Transformation:
    """One operator of the program."""

    __slots__ = (
        "bounded",
        "chaining",
        "description",
        "env",
        "inherits_parallelism",
        "inputs",
        "keyed",
        "kind",
        "max_parallelism",
        "name",
        "native_type",
        "options_of_operator",
        "parallelism",
        "params",
        "place",
        "single",
        "slot_sharing_group",
        "tags",
        "type_info",
        "uid",
    )

    def __init__(
        self,
        env: StreamExecutionEnvironment,
        kind: str,
        name: str,
        inputs: list[Edge],
        type_info: TypeInformation,
        params: dict[str, Any],
        *,
        keyed: bool = False,
        single: bool = False,
        inherits_parallelism: bool = False,
        bounded: bool = True,
        native_type: Any = None,
    ) -> None:
        self.env = env
        self.kind = kind
        self.name = name
        self.inputs = inputs
        self.type_info = type_info
        self.params = params
        #: Makes options of a connector that depend on the operator's id, which is known last.
        self.options_of_operator: Callable[[str], dict[str, str]] | None = None
        self.keyed = keyed
        self.single = single
        self.inherits_parallelism = inherits_parallelism
        self.bounded = bounded
        self.native_type = native_type
        self.parallelism: int | None = None
        self.max_parallelism: int | None = None
        self.uid = ""
        self.chaining = "always"
        self.description: str | None = None
        self.slot_sharing_group: Any = None
        self.tags: dict[str, tuple[int, TypeInformation]] = {}
        self.place = _users_place()

    @property
    def is_sink(self) -> bool:
        """Ends a stream."""
        return self.kind in _SINK_KINDS

    @property
    def is_source(self) -> bool:
        """Begins a stream."""
        return self.kind in _SOURCE_KINDS

    def display_name(self) -> str:
        """The name with upstream's prefix."""
        if self.is_source:
            return f"Source: {self.name}"
        return f"Sink: {self.name}" if self.is_sink else self.name

    def set_parallelism(self, parallelism: int) -> None:
        """Checks and sets."""
        if isinstance(parallelism, bool) or not isinstance(parallelism, int) or parallelism < 1:
            raise ValueError(
                f"The parallelism of an operator must be at least 1, got {parallelism!r} for"
                f" {self.name!r}"
            )
        if self.single and parallelism != 1:
            raise ValueError(
                f"The parallelism of the non parallel operator {self.name!r} must be 1, got"
                f" {parallelism}"
            )
        self.parallelism = parallelism

    def add_tag(self, tag: OutputTag) -> None:
        """Makes the side output known to the operator."""
        known = self.tags.get(tag.tag_id)
        if known is None:
            self.tags[tag.tag_id] = (len(self.tags), tag.type_info)
        elif known[1] != tag.type_info:
            raise ValueError(
                f"The side output {tag.tag_id!r} of {self.name!r} was already requested with the"
                f" type {known[1]}; it cannot also have the type {tag.type_info}. Use the same"
                " OutputTag, or another id."
            )


def emitter_of_side_output(edges: list[Edge], tag: OutputTag) -> Transformation:
    """The operator that emits `tag` for a stream.

    The stream's own, or the nearest above it that yields tags.
    """
    current = edges
    while len(current) == 1 and current[0].tag is None:
        transformation = current[0].source
        if transformation.kind in _SIDE_OUTPUT_KINDS:
            return transformation
        if transformation.kind not in _TRANSPARENT_KINDS:
            break
        current = transformation.inputs
    raise TypeError(
        f"get_side_output({tag.tag_id!r}): this stream has no process or window function that could"
        " emit it; call get_side_output on the stream that process(...) returned"
    )


def declared_type(type_info: Any, what: str) -> TypeInformation:
    """The type an operator's result is declared with; a list of types means a row."""
    if type_info is None:
        return PickledBytesTypeInfo()
    if isinstance(type_info, list):
        return RowTypeInfo(type_info)
    if isinstance(type_info, TypeInformation):
        return type_info
    raise TypeError(
        f"{what} must be a TypeInformation such as Types.INT(), or a list of them for a row, got"
        f" {type_info!r}{type_hint(type_info)}"
    )


class _Node:
    """A transformation with everything decided that depends on the whole program."""

    __slots__ = (
        "index",
        "inputs",
        "max_parallelism",
        "parallelism",
        "shown_max_parallelism",
        "transformation",
    )

    def __init__(
        self, index: int, transformation: Transformation, parallelism: int, max_parallelism: int
    ) -> None:
        self.index = index
        self.transformation = transformation
        self.parallelism = parallelism
        self.max_parallelism = max_parallelism
        # what its functions are told: that of the first operator of its chain, as in upstream,
        # where a collection has 1
        self.shown_max_parallelism = 1 if transformation.kind == "collection" else max_parallelism
        self.inputs: list[tuple[_Node, str, Edge]] = []

    def is_chained(self, mixed: bool) -> bool:
        """Whether upstream would run it in one task with its input.

        :param mixed: also when their maximum parallelisms differ.
        """
        if len(self.inputs) != 1:
            return False
        source, partitioner, _ = self.inputs[0]
        before, this = source.transformation, self.transformation
        return (
            partitioner == "forward"
            and source.parallelism == self.parallelism
            and before.chaining != "never"
            and this.chaining == "always"
            and this.slot_sharing_group in (None, before.slot_sharing_group)
            and (mixed or source.max_parallelism == self.max_parallelism)
        )


class Plan:
    """All operators needed for what the environment has registered, inputs first."""

    def __init__(
        self, env: StreamExecutionEnvironment, transformations: list[Transformation]
    ) -> None:
        self._env = env
        self._nodes: dict[int, _Node] = {}
        self._uids: dict[str, Transformation] = {}
        self._default_parallelism = env.get_parallelism()
        for transformation in transformations:
            self._add(transformation)

    @property
    def nodes(self) -> list[_Node]:
        """Inputs first."""
        return list(self._nodes.values())

    def places(self) -> dict[str, list[str]]:
        """Where the operators of each name were made."""
        places: dict[str, list[str]] = {}
        for node in self.nodes:
            t = node.transformation
            lines = places.setdefault(t.display_name(), [])
            if t.place not in lines:
                lines.append(t.place)
        return places

    def is_bounded(self) -> bool:
        """Every source ends by itself."""
        return all(n.transformation.bounded for n in self.nodes if n.transformation.is_source)

    def _add(self, root: Transformation) -> None:
        # a program may be thousands of operators long: no recursion
        stack: list[tuple[Transformation, bool]] = [(root, False)]
        while stack:
            transformation, inputs_done = stack.pop()
            if id(transformation) in self._nodes:
                continue
            if inputs_done:
                self._add_node(transformation)
                continue
            stack.append((transformation, True))
            stack.extend((edge.source, False) for edge in reversed(transformation.inputs))

    def _add_node(self, t: Transformation) -> None:
        sources = [(self._nodes[id(edge.source)], edge) for edge in t.inputs]
        if t.parallelism is not None:
            parallelism = t.parallelism
        elif t.single:
            parallelism = 1
        elif t.inherits_parallelism:
            parallelism = max(node.parallelism for node, _ in sources)
        else:
            parallelism = self._default_parallelism
        max_parallelism = t.max_parallelism or self._env.get_max_parallelism()
        if max_parallelism <= 0:
            max_parallelism = _default_max_parallelism(parallelism)
        if parallelism > max_parallelism:
            raise ValueError(
                f"The parallelism {parallelism} of {t.name!r} is above its maximum parallelism"
                f" {max_parallelism}; lower it, or raise set_max_parallelism(...) (made at"
                f" {t.place})"
            )
        if t.uid:
            first = self._uids.setdefault(t.uid, t)
            if first is not t:
                raise ValueError(
                    f"the uid {t.uid!r} is given to {first.name!r} ({first.place}) and to"
                    f" {t.name!r} ({t.place}); state is found by it, so each needs its own"
                )
        node = _Node(len(self._nodes), t, parallelism, max_parallelism)
        for source, edge in sources:
            partitioner = edge.partitioner
            if partitioner is None:
                partitioner = "forward" if source.parallelism == parallelism else "rebalance"
            elif partitioner == "forward" and source.parallelism != parallelism:
                raise ValueError(
                    "Forward partitioning does not allow change of parallelism:"
                    f" {source.transformation.name!r} has {source.parallelism}, {t.name!r} has"
                    f" {parallelism}. Use rebalance(), rescale() or shuffle(), or give both the"
                    " same parallelism."
                )
            node.inputs.append((source, partitioner, edge))
        if self._env.is_chaining_enabled() and node.is_chained(
            self._env.is_chaining_of_operators_with_different_max_parallelism_enabled()
        ):
            node.shown_max_parallelism = node.inputs[0][0].shown_max_parallelism
        self._nodes[id(t)] = node

    def to_native(self) -> _native.StreamGraph:
        """The engine's graph.

        :raises ValueError: for a program that cannot run.
        """
        from pyflink import _native

        graph = _native.StreamGraph()
        ids: dict[int, int] = {}
        for node in self.nodes:
            t = node.transformation
            inputs = []
            for source, partitioner, edge in node.inputs:
                side = -1 if edge.tag is None else source.transformation.tags[edge.tag][0]
                inputs.append(
                    _native.Edge(
                        ids[source.index],
                        partitioner,
                        input=edge.input,
                        side=side,
                        custom=edge.custom,
                        key_selector=edge.key_selector,
                    )
                )
            params = t.params
            if t.options_of_operator is not None:
                # the id under which checkpoints store it: uid_of() in cpp/job/deployment.h
                added = t.options_of_operator(t.uid or f"{node.index}-{t.display_name()}")
                params = {**params, "options": {**params["options"], **added}}
            if t.tags or t.kind in _SIDE_OUTPUT_KINDS:
                params = {
                    **params,
                    "tags": {
                        tag: (number, type_info._logical())
                        for tag, (number, type_info) in t.tags.items()
                    },
                }
            output_type = t.native_type
            if output_type is None and not isinstance(t.type_info, PickledBytesTypeInfo):
                output_type = t.type_info._logical()
            try:
                ids[node.index] = graph.add(
                    t.kind,
                    t.display_name(),
                    inputs=inputs,
                    parallelism=node.parallelism,
                    max_parallelism=node.max_parallelism,
                    shown_max_parallelism=node.shown_max_parallelism,
                    uid=t.uid,
                    chaining=t.chaining,
                    keyed=t.keyed,
                    output_type=output_type,
                    params=params,
                )
            except Exception as error:
                add_note(error, f"{t.display_name()!r} was made at {t.place}")
                raise
        return graph

    def to_text(self) -> str:
        """Upstream's execution plan: text that is JSON and a Python literal at once."""
        from json import dumps

        nodes: list[dict[str, Any]] = []
        for node in self.nodes:
            t = node.transformation
            pact = "Data Source" if t.is_source else "Data Sink" if t.is_sink else "Operator"
            entry: dict[str, Any] = {
                "id": node.index,
                "type": t.display_name(),
                "pact": pact,
                "contents": t.description or t.display_name(),
                "parallelism": node.parallelism,
            }
            if node.inputs:
                entry["predecessors"] = [
                    {
                        "id": source.index,
                        "ship_strategy": partitioner.upper(),
                        "side": "second",  # as upstream says of every input
                    }
                    for source, partitioner, _ in node.inputs
                ]
            nodes.append(entry)
        return dumps({"nodes": nodes}, indent=2)


def _default_max_parallelism(parallelism: int) -> int:
    """Flink's default: room to grow by half, a power of two, between 128 and 32768."""
    wanted = parallelism + parallelism // 2
    return min(max(1 << (wanted - 1).bit_length() if wanted > 1 else 1, 128), 32768)
