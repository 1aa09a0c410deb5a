"""What is not offered yet is in one list, and says what to do instead."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from pyflink import _not_yet
from pyflink._not_yet import NOT_YET, NOT_YET_MEMBERS, NotSupportedError
from pyflink.common import Encoder, SimpleStringSchema, Types
from pyflink.datastream import (
    CustomCheckpointStorage,
    CustomStateBackend,
    SinkFunction,
    SourceFunction,
    StreamExecutionEnvironment,
)
from pyflink.datastream.connectors.elasticsearch import Elasticsearch7SinkBuilder
from pyflink.datastream.connectors.file_system import FileSink, FileSource
from pyflink.datastream.connectors.kafka import FlinkKafkaProducer
from pyflink.datastream.connectors.number_seq import NumberSequenceSource

PACKAGE = Path(_not_yet.__file__).resolve().parent


def environment():
    return StreamExecutionEnvironment.get_execution_environment()


def client():
    env = environment()
    env.from_collection([1]).add_sink(Nothing())
    return env.execute_async()


class Nothing(SinkFunction):
    def invoke(self, value, context):
        pass


USES = {
    "pyflink.java_gateway": lambda: importlib.import_module("pyflink.java_gateway").get_gateway(),
    "TypeInformation.get_java_type_info": lambda: Types.INT().get_java_type_info(),
    "Source.get_java_function": lambda: NumberSequenceSource(1, 2).get_java_function(),
    "Sink.get_java_function": lambda: (
        FlinkKafkaProducer("t", SimpleStringSchema(), {"bootstrap.servers": "b:1"})
    ).get_java_function(),
    "get_http_host_class": lambda: Elasticsearch7SinkBuilder().get_http_host_class(),
    "SourceFunction of a Java class": lambda: SourceFunction("com.example.Source"),
    "SinkFunction of a Java class": lambda: SinkFunction("com.example.Sink"),
    "CustomStateBackend": lambda: CustomStateBackend(None),
    "CustomCheckpointStorage": lambda: CustomCheckpointStorage(None),
    "StreamExecutionEnvironment.create_input": lambda: environment().create_input(object()),
    "FileSource.for_bulk_file_format": lambda: FileSource.for_bulk_file_format(None, "/a"),
    "files that are not local": lambda: environment().read_text_file("hdfs://a/b"),
    "charset of an Encoder": lambda: FileSink.for_row_format(
        "/a", Encoder.simple_string_encoder("UTF-16")
    ),
}


@pytest.mark.parametrize("member", sorted(NOT_YET_MEMBERS))
def test_each_member_of_the_list_is_refused_with_its_way_out(member):
    with pytest.raises(NotSupportedError, match=re.escape(NOT_YET_MEMBERS[member])) as raised:
        USES[member]()
    assert " is not supported yet: " in str(raised.value)


def calls(tree, *names):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node


def test_nothing_else_is_refused():
    """Every place that refuses something names a line of the list, and every line has a place."""
    used = set()
    unlisted = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name == "_not_yet.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        where = path.relative_to(PACKAGE)
        unlisted += [f"{where}:{call.lineno}" for call in calls(tree, "NotSupportedError")]
        for call in calls(tree, "not_yet"):
            member = getattr(call.args[0], "value", None)
            if member in NOT_YET_MEMBERS:
                used.add(member)
            else:
                unlisted.append(f"{where}:{call.lineno}")
        for call in calls(tree, "placeholder_getattr"):
            module = ".".join(("pyflink", *where.with_suffix("").parts)).removesuffix(".__init__")
            if module not in NOT_YET:
                unlisted.append(f"{where}:{call.lineno}")
    assert unlisted == []
    assert sorted(used) == sorted(NOT_YET_MEMBERS)


@pytest.mark.parametrize("module", sorted(NOT_YET))
def test_the_modules_of_the_list_can_be_imported(module):
    imported = importlib.import_module(module)
    for name in NOT_YET[module]:
        assert getattr(imported, name).__module__ == module
    with pytest.raises(AttributeError, match="has no attribute 'Nobody'"):
        imported.Nobody  # noqa: B018


def test_a_program_with_patterns_is_told_what_to_do():
    from pyflink.cep import CEP, Pattern
    from pyflink.cep.pattern_select_function import PatternSelectFunction

    class Alert(PatternSelectFunction):  # a script may define it, as long as it is not used
        def select(self, pattern):
            return pattern

    for use in (lambda: Pattern.begin("a"), lambda: CEP.pattern(None, None), Alert):
        with pytest.raises(NotSupportedError, match="KeyedProcessFunction with state and timers"):
            use()


def test_the_error_is_a_not_implemented_error():
    assert issubclass(_not_yet.NotSupportedError, NotImplementedError)
