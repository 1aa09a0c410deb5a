"""Every public name of upstream's DataStream API is there, with the same members and parameters.

`data/upstream_surface.json` lists names, members and parameters (names and defaults) of PyFlink
1.20: data, no code. `data/upstream_values.json` has what values look like there: the `repr` and
`str` of `data/expressions.txt`, members of enums (recorded by `record_values.py`). What is left
out or differs is listed here with the reason, and must not be listed without need.
"""

from __future__ import annotations

import copy
import enum
import fnmatch
import importlib
import inspect
import json
import pickle
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from pyflink._not_yet import NOT_YET, NotSupportedError

UPSTREAM: dict[str, dict[str, dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "data" / "upstream_surface.json").read_text(encoding="utf-8")
)

KEYED_REFUSES = [
    "broadcast",
    "cache",
    "disable_chaining",
    "force_non_parallel",
    "forward",
    "get_name",
    "name",
    "partition_custom",
    "rebalance",
    "rescale",
    "set_buffer_timeout",
    "set_description",
    "set_max_parallelism",
    "set_parallelism",
    "set_uid_hash",
    "shuffle",
    "slot_sharing_group",
    "start_new_chain",
    "uid",
]

NO_JAVA = "it gives or takes an object of upstream's Java side; there is none here"
KEYED = "pyflink.datastream.data_stream.KeyedStream"

DIFFERENT = {
    "*.get_java_*": NO_JAVA,
    "pyflink.datastream.utils.create_hadoop_configuration": NO_JAVA,
    "pyflink.datastream.utils.create_java_properties": NO_JAVA,
    "pyflink.datastream.connectors.base.Sink.__init__": NO_JAVA,
    "pyflink.datastream.connectors.base.Source.__init__": NO_JAVA,
    "pyflink.datastream.functions.SinkFunction.__init__": "a subclass in Python gives none",
    "pyflink.datastream.functions.SourceFunction.__init__": "a subclass in Python gives none",
    **dict.fromkeys(
        [f"{KEYED}.{name}" for name in KEYED_REFUSES],
        "not for a keyed stream: refused as upstream does, whatever is given",
    ),
}
"""Pattern of `module.Class.member` -> why it is not there, or is otherwise."""


def resolve(entry: dict[str, Any]) -> dict[str, Any]:
    while "same_as" in entry:
        module, _, name = entry["same_as"].rpartition(".")
        entry = UPSTREAM[module][name]
    return entry


def shown_default(value: object) -> str:
    """As in the data: a repr, without the numbers of enum members and the addresses of objects."""
    text = getattr(value, "name", None)
    if text is not None and hasattr(type(value), "__members__"):
        return f"{type(value).__name__}.{text}"
    return repr(value)


def parameters_of(member: object) -> str | None:
    """`self, name, other=None`; nothing for what has no signature."""
    try:
        signature = inspect.signature(member)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    out = []
    star = False
    for parameter in signature.parameters.values():
        name = parameter.name
        if parameter.kind is parameter.VAR_POSITIONAL:
            name, star = f"*{name}", True
        elif parameter.kind is parameter.VAR_KEYWORD:
            name = f"**{name}"
        elif parameter.kind is parameter.KEYWORD_ONLY and not star:
            out.append("*")
            star = True
        if parameter.default is not parameter.empty:
            name += f"={shown_default(parameter.default)}"
        out.append(name)
    return ", ".join(out)


def plain(parameters: str) -> str:
    return re.sub(r"<([\w.]+): [^>]*>", r"\1", parameters)


def differences(module_name: str) -> list[tuple[str, str]]:
    """`(path, what is otherwise)` of one module."""
    out: list[tuple[str, str]] = []
    try:
        module = importlib.import_module(module_name)
    except ImportError:
        return [(f"{module_name}.{name}", "no such module") for name in UPSTREAM[module_name]]
    for name, listed in UPSTREAM[module_name].items():
        path = f"{module_name}.{name}"
        ours = getattr(module, name, None)
        if ours is None:
            out.append((path, "missing"))
            continue
        if "same_as" in listed or name in NOT_YET.get(module_name, ()):
            continue  # looked at where it is defined, or a placeholder without members
        entry = resolve(listed)
        members = {"": entry["parameters"]} if "parameters" in entry else entry.get("members", {})
        for member, parameters in members.items():
            member_path = f"{path}.{member}".rstrip(".")
            if member == "__init__" and re.search(r"\bj_", parameters or ""):
                continue  # upstream's wraps an object of its Java side: nothing a program calls
            try:
                found = getattr(ours, member) if member else ours
            except NotSupportedError:
                out.append((member_path, "not yet"))
                continue
            except AttributeError:
                out.append((member_path, "missing"))
                continue
            if parameters is not None:
                got = parameters_of(found)
                if found is object.__init__ and parameters == "self":
                    continue
                if got != plain(parameters):
                    out.append((member_path, f"({got}) instead of ({plain(parameters)})"))
    return out


def reason_for(path: str) -> str | None:
    return next((why for p, why in DIFFERENT.items() if fnmatch.fnmatchcase(path, p)), None)


@pytest.mark.parametrize("module_name", sorted(UPSTREAM))
def test_names_members_and_parameters_are_upstreams(module_name: str) -> None:
    unexplained = {p: what for p, what in differences(module_name) if reason_for(p) is None}
    assert unexplained == {}


def test_no_difference_is_listed_without_need() -> None:
    found = [path for module_name in UPSTREAM for path, _ in differences(module_name)]
    unneeded = [p for p in DIFFERENT if not any(fnmatch.fnmatchcase(f, p) for f in found)]
    assert unneeded == []


# -- types and base classes ------------------------------------------------------------------------

read_types = runpy.run_path(str(Path(__file__).parent / "record_types.py"))
TYPES = json.loads((Path(__file__).parent / "data" / "upstream_types.json").read_text("utf-8"))
BASES = {path.rpartition(".")[2]: set(bases) for path, bases in TYPES["bases"].items()}

WIDER = {"list": {"Iterable", "Sequence"}, "int": {"float"}, "dict": {"Mapping"}}
"""What takes more than a type of upstream's."""

TYPED_OTHERWISE = {
    **dict.fromkeys(
        [f"{KEYED}.{name} *" for name in KEYED_REFUSES],
        "not for a keyed stream: refused as upstream does, whatever is given",
    ),
    "pyflink.common.restart_strategy.RestartStrategies.* return": "the same classes, as aliases",
    "pyflink.common.types.Row.*": "a native class, whose types are in _native.pyi",
    "pyflink.datastream.connectors.file_system.FileSink.__init__ *": "made by builders only",
    "pyflink.datastream.connectors.kafka.KafkaSink.__init__ *": "made by builders only",
    "pyflink.datastream.data_stream.CloseableIterator.__init__ *": "made by the engine only",
    "pyflink.datastream.formats.csv.CsvSchema.__init__ *": "made by its builder only",
}
"""Pattern of `module.Class.member parameter` -> why its type differs."""


def found_at(path: str) -> Any:
    """What a path of the record names; None for a placeholder, and for what is in DIFFERENT."""
    module_name = path
    while module_name not in UPSTREAM:
        module_name = module_name.rpartition(".")[0]
    names = path[len(module_name) + 1 :].split(".")
    if names[0] in NOT_YET.get(module_name, ()) or reason_for(path) is not None:
        return None
    found: Any = importlib.import_module(module_name)
    for name in names:
        found = getattr(found, name)
    return found


def is_of(name: str, types: set[str]) -> bool:
    """Whether what is called `name` is one of these types, or of a class derived from one."""
    return name in types or name == "Self" or bool(BASES.get(name, set()) & types)


def type_differs(parameter: str, theirs: set[str], ours: set[str]) -> bool:
    if parameter == "return":
        # a union would have to be told apart by everybody who uses it
        return not ("Any" in theirs or len(theirs) > 1 or all(is_of(o, theirs) for o in ours))
    takes = ours | {"Any"} if "object" in ours else ours
    return "Any" not in takes and not all(
        is_of(name, takes) or WIDER.get(name, set()) & takes for name in theirs
    )


def typed_otherwise() -> dict[str, str]:
    out = {}
    for path, types in TYPES["types"].items():
        found = found_at(path)
        if found is None or (re.search(r"\.__init__$", path) and "JavaObject" in str(types)):
            continue
        ours = read_types["types_of"](found) or {}
        for parameter, names in types.items():
            if "JavaObject" in names:
                continue
            got = set(ours.get(parameter, ()))
            # a method that gives nothing back may leave that out
            if not got or type_differs(parameter, set(names), got):
                out[f"{path} {parameter}"] = f"{sorted(got)} instead of {names}"
    return out


def test_parameters_and_results_have_upstreams_types() -> None:
    found = typed_otherwise()
    listed = {p: why for p in found for q, why in TYPED_OTHERWISE.items() if fnmatch.fnmatch(p, q)}
    assert {p: what for p, what in found.items() if p not in listed} == {}
    unneeded = [q for q in TYPED_OTHERWISE if not any(fnmatch.fnmatch(p, q) for p in found)]
    # of a keyed stream's methods some have no types upstream, so there is nothing to differ
    assert [q for q in unneeded if not q.startswith(KEYED)] == []


WITHOUT_BASE = {"JavaObjectWrapper": NO_JAVA}
"""Public base class of upstream's -> why ours have none."""


@pytest.mark.parametrize("path", sorted(TYPES["bases"]))
def test_classes_have_upstreams_bases(path: str) -> None:
    ours = found_at(path)
    if ours is None:
        return
    public = {path.rpartition(".")[2] for path in TYPES["bases"]} - set(WITHOUT_BASE)
    theirs = set(TYPES["bases"][path]) & public
    assert theirs - {base.__name__ for base in ours.__mro__} == set()


def test_the_older_kafka_classes_are_functions_as_well() -> None:
    kafka = importlib.import_module("pyflink.datastream.connectors.kafka")
    functions = importlib.import_module("pyflink.datastream.functions")
    assert issubclass(kafka.FlinkKafkaConsumer, functions.SourceFunction)
    assert issubclass(kafka.FlinkKafkaProducer, functions.SinkFunction)


# -- values ----------------------------------------------------------------------------------------

record = runpy.run_path(str(Path(__file__).parent / "record_values.py"))
RECORDED = json.loads(
    (Path(__file__).parent / "data" / "upstream_values.json").read_text(encoding="utf-8")
)
KNOWN = record["names"]()

SAID_OTHERWISE: dict[str, str] = {
    "Types.PRIMITIVE_ARRAY(Types.STRING())": "refused at once: strings are no primitive type",
    'ValueStateDescriptor("v", 5)': "refused at once: 5 is no type",
    'OutputTag("a", Types.INT()) == OutputTag("a", Types.LONG())': "equal by id, as in Java",
}
"""Expression -> why it gives something else here."""


def test_the_record_is_of_these_expressions() -> None:
    assert sorted(RECORDED["expressions"]) == sorted(record["expressions"]())


@pytest.mark.parametrize("expression", record["expressions"]())
def test_values_say_what_upstreams_say(expression: str) -> None:
    theirs = RECORDED["expressions"][expression]
    ours = record["said"](expression, KNOWN)
    if expression in SAID_OTHERWISE:
        assert ours != theirs, "no longer otherwise: take it from the list"
        return
    if theirs[0].startswith("raises "):
        # its errors of Java's side, and bare Exceptions, have better classes here
        known = theirs[0] in {f"raises {e}" for e in ("ValueError", "TypeError", "IndexError")}
        assert ours == theirs if known else ours[0].startswith("raises ")
        return
    # what has no text of its own shows its address there
    assert [o for o, t in zip(ours, theirs, strict=True) if " at 0x" not in t] == [
        t for t in theirs if " at 0x" not in t
    ]


@pytest.mark.parametrize("path", sorted(RECORDED["enums"]))
def test_enums_have_upstreams_members(path: str) -> None:
    module_name, _, name = path.rpartition(".")
    while module_name not in UPSTREAM:  # a class in a class
        module_name, _, outer = module_name.rpartition(".")
        name = f"{outer}.{name}"
    if reason_for(path) is not None or name.split(".")[0] in NOT_YET.get(module_name, ()):
        return
    found: Any = importlib.import_module(module_name)
    for part in name.split("."):
        found = getattr(found, part)
    assert issubclass(found, enum.Enum)
    # names beyond upstream's are other spellings of the same members
    assert {m.name: repr(m.value) for m in found} == RECORDED["enums"][path]
    for member in found:
        assert pickle.loads(pickle.dumps(member)) is member
        assert copy.deepcopy(member) is member


# -- documentation ---------------------------------------------------------------------------------


def documented_things() -> dict[str, Any]:
    """Every public class, function and method of this package's own, by its full name."""
    out: dict[str, Any] = {}
    for module_name in UPSTREAM:
        module = importlib.import_module(module_name)
        for name in UPSTREAM[module_name]:
            if name.startswith("_") or name in NOT_YET.get(module_name, ()):
                continue
            thing = getattr(module, name, None)
            if not (inspect.isclass(thing) or inspect.isfunction(thing)):
                continue
            out[f"{thing.__module__}.{thing.__qualname__}"] = thing
            if not inspect.isclass(thing):
                continue
            for member_name, member in vars(thing).items():
                inner = getattr(member, "__func__", member)
                if not member_name.startswith("_") and (
                    inspect.isfunction(inner) or inspect.isclass(inner)
                ):
                    out[f"{inner.__module__}.{inner.__qualname__}"] = inner
    return {name: thing for name, thing in out.items() if name.startswith("pyflink.")}


def test_everything_public_has_a_docstring() -> None:
    missing = [
        name
        for name, thing in documented_things().items()
        if not inspect.getdoc(thing) and "<lambda>" not in name
    ]
    assert missing == []


def test_no_docstring_is_upstreams() -> None:
    theirs = set(RECORDED["docstrings"])
    docs = {name: inspect.getdoc(thing) or "" for name, thing in documented_things().items()}
    copied = [
        name
        for name, doc in docs.items()
        if len(record["normal"](doc)) > 40 and record["digest"](doc) in theirs
    ]
    assert copied == []


# -- pickling --------------------------------------------------------------------------------------

PICKLED = [
    'Types.ROW_NAMED(["a"], [Types.LIST(Types.MAP(Types.STRING(), Types.SHORT()))])',
    "Types.TUPLE([Types.INT(), Types.PICKLED_BYTE_ARRAY()])",
    "Types.OBJECT_ARRAY(Types.SQL_TIMESTAMP())",
    'Row(a=1, b=Row("x", (1,)))',
    "Row.of_kind(RowKind.DELETE, 1)",
    "Time.seconds(5)",
    "Duration.of_seconds(5)",
    "Instant.of_epoch_milli(5)",
    'Configuration().set_string("a", "1").set_integer("b", 2)',
    "RestartStrategies.fixed_delay_restart(1, 2)",
    "RestartStrategies.failure_rate_restart(1, 2, 3)",
    "TimeWindow(1, 2)",
    "CountWindow(1)",
    "GlobalWindow()",
    "MemorySize.of_mebi_bytes(5)",
    'KafkaTopicPartition("t", 1)',
]


@pytest.mark.parametrize("expression", PICKLED)
def test_values_survive_pickling_and_copying(expression: str) -> None:
    value = eval(expression, dict(KNOWN))
    for other in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value), copy.copy(value)):
        assert type(other) is type(value)
        assert other == value
        assert hash(other) == hash(value)
        assert repr(other) == repr(value)


SHOWN = [
    'ValueStateDescriptor("v", Types.INT())',
    'MapStateDescriptor("m", Types.STRING(), Types.INT())',
    'ListStateDescriptor("l", Types.INT())',
    "StateTtlConfig.new_builder(Time.days(1)).build()",
    "TumblingEventTimeWindows.of(Time.seconds(5))",
    "SlidingProcessingTimeWindows.of(Time.seconds(5), Time.seconds(1))",
    "EventTimeSessionWindows.with_gap(Time.seconds(5))",
    "GlobalWindows.create()",
    "CountTumblingWindowAssigner.of(5)",
    'OutputTag("a", Types.INT())',
    "WatermarkStrategy.for_monotonous_timestamps()",
    "PurgingTrigger.of(CountTrigger.of(3))",
    "ContinuousEventTimeTrigger.of(Time.seconds(3))",
    "HashMapStateBackend()",
    'FileSystemCheckpointStorage("file:///x")',
    "WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_seconds(1))"
    ".with_idleness(Duration.of_seconds(2))",
    "WatermarkStrategy.for_monotonous_timestamps()"
    '.with_watermark_alignment("g", Duration.of_seconds(1))',
    "ReducingStateDescriptor('r', max, Types.INT())",
    "SimpleStringSchema()",
    "Encoder.simple_string_encoder()",
    "ExecutionConfig().set_parallelism(3)",
    "KafkaOffsetsInitializer.earliest()",
    'KafkaSource.builder().set_bootstrap_servers("x:1").set_topics("t")'
    ".set_value_only_deserializer(SimpleStringSchema()).build()",
    'KafkaSink.builder().set_bootstrap_servers("x:1").set_record_serializer('
    'KafkaRecordSerializationSchema.builder().set_topic("t")'
    ".set_value_serialization_schema(SimpleStringSchema()).build()).build()",
    'FlinkKafkaConsumer("t", SimpleStringSchema(), {"bootstrap.servers": "x:1"})',
    'FlinkKafkaProducer("t", SimpleStringSchema(), {"bootstrap.servers": "x:1"})',
    'FileSink.for_row_format("/tmp/x", Encoder.simple_string_encoder()).build()',
    'FileSource.for_record_stream_format(StreamFormat.text_line_format(), "/tmp/x").build()',
    "RollingPolicy.default_rolling_policy()",
    "BucketAssigner.date_time_bucket_assigner()",
    "OutputFileConfig.builder().build()",
    'SlotSharingGroup.builder("a").set_cpu_cores(1.0).set_task_heap_memory_mb(10).build()',
    "EmbeddedRocksDBStateBackend(True)",
    'FsStateBackend("file:///x")',
    "MemoryStateBackend()",
    "JobManagerCheckpointStorage()",
    "EventTimeTrigger.create()",
    "ContinuousProcessingTimeTrigger.of(Time.seconds(1))",
    "ProcessingTimeSessionWindows.with_gap(Time.seconds(1))",
]


@pytest.mark.parametrize("expression", SHOWN)
def test_what_functions_hold_survives_pickling_and_copying(expression: str) -> None:
    value = eval(expression, dict(KNOWN))
    for other in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
        assert type(other) is type(value)
        if type(value).__repr__ is not object.__repr__:
            assert repr(other) == repr(value)


PLACEHOLDERS = [(module, name) for module, names in NOT_YET.items() for name in names]


@pytest.mark.parametrize(("module_name", "name"), PLACEHOLDERS)
def test_a_name_that_is_not_offered_yet_is_one_class_and_says_so(
    module_name: str, name: str
) -> None:
    module = importlib.import_module(module_name)
    placeholder = getattr(module, name)
    assert getattr(module, name) is placeholder
    assert pickle.loads(pickle.dumps(placeholder)) is placeholder
    assert copy.deepcopy(placeholder) is placeholder
    for use in (placeholder, lambda: placeholder.builder()):
        with pytest.raises(NotSupportedError, match=re.escape(NOT_YET[module_name][name])):
            use()


def test_every_public_class_can_be_pickled_by_its_name() -> None:
    """Also what is defined in one module and offered in another."""
    lost = []
    for module_name in UPSTREAM:
        module = importlib.import_module(module_name)
        for name in UPSTREAM[module_name]:
            thing = getattr(module, name, None)
            if not inspect.isclass(thing):
                continue
            try:
                found = pickle.loads(pickle.dumps(thing))
            except Exception as error:
                found = error
            if found is not thing:
                lost.append(f"{module_name}.{name}: {found!r}")
    assert lost == []
