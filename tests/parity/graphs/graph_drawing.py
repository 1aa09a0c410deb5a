"""Draws graphs whose results are defined, with hypothesis.

A job with several subtasks or inputs has results that depend on timing. So each stream knows what
of it is defined (`Stream`), and an operation is drawn only where its result then is:

- `order`: "total"; "key" (of the records that share their first field); "none".
- `marks`: where watermarks lie between the records. "exact"; "end" (none before the end of the
  input); "loose" (they come, but with other subtasks' records in between).
- `on_time`: no record is behind the watermark. Where marks are loose, nothing else is defined.
- `distinct`: a key's records have different timestamps, which BATCH sorts them by.

Not drawn, because PyFlink is known to answer otherwise than Flink (see also DIFFERENT_ON_PURPOSE in
test_parity.py):

- reduced or aggregated sessions of records out of order (PyFlink loses what it had gathered);
- timers set by timers, and continuous triggers, in process mode (they fire after all others);
- sessions with a dynamic gap where windows may be equal (PyFlink loses the older one's records);
- `broadcast()` in BATCH (before `map` and `key_by` PyFlink sends each record to one subtask only,
  unless the mapped stream has a second reader);
- `partition_custom` (the partitioner is given -1 partitions);
- windows of event time in BATCH (all but the first are lost), and timers in BATCH in process mode
  (all keys but the last have lost their state);
- a broadcast process function behind a Python function that is not keyed, and `key_by` of a union
  of streams with different parallelism (PyFlink refuses the job).
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

TYPED_FORMS = ("tuple", "row", "named")
FORMS = ("tuple", "tuple", "row", "named", "py", "py", "list", "pyrow")
KEY_TYPES = ("STRING", "STRING", "INT", "LONG", "BOOLEAN", "DOUBLE")
VALUE_TYPES = ("INT", "INT", "LONG", "DOUBLE", "FLOAT", "SHORT", "STRING", "BOOLEAN")
NUMBERS = ("INT", "LONG", "DOUBLE", "FLOAT")
EXTRAS = (
    *("DECIMAL", "DATE", "TIME", "TIMESTAMP", "LIST", "MAP", "BYTES", "PAIR", "INNER", "NULL"),
)  # the last one not in tuples
EXTRA_PERCENT = 25
STATES = ("value", "list", "map", "reducing", "aggregating")
WINDOW_END = ("event", "purging_event")


class Stream:
    """What is defined of one node's stream."""

    def __init__(self, node: int, shape: list[str], **known: Any) -> None:
        self.node, self.shape = node, shape
        self.order: str = known["order"]
        self.marks: str = known["marks"]
        self.stamps: str = known["stamps"]  # "none", "ok", "max"
        self.on_time: bool = known["on_time"]
        self.distinct: bool = known["distinct"]
        self.sorted: bool = known["sorted"]

    def known(self, **changes: Any) -> dict[str, Any]:
        names = ("order", "marks", "stamps", "on_time", "distinct", "sorted")
        return {**{name: getattr(self, name) for name in names}, **changes}

    def ordered_for(self, key: dict[str, Any], batch: bool) -> bool:
        """Whether the records of each of these keys come in a defined order."""
        if batch:
            return self.distinct and self.stamps == "ok"
        return self.order == "total" or (self.order == "key" and key["by"] in ("k", "pair"))


class Drawing:
    """One graph in the making."""

    def __init__(self, random: Any, mode: str, engine: str) -> None:
        self.random, self.batch, self.engine = random, mode == "batch", engine
        self.graph: dict[str, Any] = {"mode": mode, "engine": engine, "nodes": [], "outputs": []}
        self.streams: list[Stream] = []
        self.used: set[int] = set()

    def one_of(self, *options: Any) -> Any:
        return self.random.choice(options)

    def integer(self, low: int, high: int) -> int:
        return int(self.random.randint(low, high))

    def chance(self, percent: int) -> bool:
        return self.integer(1, 100) > 100 - percent

    def add(self, node: dict[str, Any], **known: Any) -> Stream:
        stream = Stream(len(self.graph["nodes"]), node["shape"], **known)
        self.graph["nodes"].append(node)
        self.streams.append(stream)
        self.used.update(node.get("in", []))
        return stream

    # Pieces

    def value(self, kind: str) -> Any:
        if kind == "STRING":
            return self.one_of("", "x", "yy", "zéz", "longer one")
        if kind == "BOOLEAN":
            return self.one_of(True, False)
        if kind in ("DOUBLE", "FLOAT"):
            return self.integer(-20, 40) / 2
        return self.integer(-5, 60)

    def key_value(self, kind: str) -> Any:
        if kind == "STRING":
            return self.one_of("a", "b", "c", "ü")
        if kind == "BOOLEAN":
            return self.one_of(True, False)
        if kind == "DOUBLE":
            return self.one_of(0.0, 1.0, 2.5, -7.25)
        return self.one_of(0, 1, 2, -7)

    def new_shape(self, shape: list[str]) -> list[str]:
        form, key, value, *extra = shape
        if self.chance(40):
            form = self.one_of(*(FORMS if extra != ["NULL"] else FORMS[2:]))
        if self.chance(20):
            value = self.one_of(*VALUE_TYPES)
        return [form, key, value, *extra]

    def key(self, stream: Stream) -> dict[str, Any]:
        by = self.one_of("k", "k", "k", "k", "mod", "pair", "const")
        key: dict[str, Any] = {"by": by, "typed": self.chance(60), "type": stream.shape[1]}
        if by == "mod":
            key["n"] = self.integer(2, 4)
        return key

    def parallelism(self) -> int:
        return int(self.one_of(1, 1, 1, 2, 4))

    def watermarks(self, records: list[list[Any]]) -> dict[str, Any]:
        kind = self.one_of("per_record", "per_record", "per_record", "mono", "bounded", "no")
        if self.batch and kind == "per_record":
            kind = "mono"
        made: dict[str, Any] = {"kind": kind}
        if kind == "per_record":
            made["delay"] = self.one_of(0, 0, 2, 5, 10, 100)
            made["every"] = self.one_of(1, 1, 1, 2, 3)
        elif kind == "bounded":
            made["delay"] = self.integer(0, 20)
        return made

    def source(self, shape: list[str] | None = None, ends_only: bool = False) -> Stream:
        if shape is None:
            shape = [self.one_of(*FORMS), self.one_of(*KEY_TYPES), self.one_of(*VALUE_TYPES)]
            if self.chance(EXTRA_PERCENT):
                shape.append(self.one_of(*(EXTRAS if shape[0] != "tuple" else EXTRAS[:-1])))
        count = self.integer(1, 14)
        times = [self.integer(0, 60) for _ in range(count)]
        if self.chance(10):
            times = [time - 30 for time in times]
        if self.chance(30):
            times.sort()
        if self.chance(40):
            times = list(dict.fromkeys(times))
        records = [[self.key_value(shape[1]), self.value(shape[2]), time] for time in times]
        watermarks = None if self.chance(10) else self.watermarks(records)
        if ends_only and watermarks and watermarks["kind"] == "per_record":
            watermarks = {"kind": "mono"}
        exact = bool(watermarks) and watermarks["kind"] == "per_record"
        on_time, mark, highest, seen = True, None, None, 0
        if exact:
            for time in times:
                if mark is not None and time <= mark:
                    on_time = False
                highest = time if highest is None else max(highest, time)
                seen += 1
                if seen % watermarks["every"] == 0:
                    mark = highest - watermarks["delay"] - 1
        node = {"op": "source", "shape": shape, "records": records, "watermarks": watermarks}
        return self.add(
            node,
            order="total",
            marks="exact" if exact else "end",
            stamps="ok" if watermarks else "none",
            on_time=on_time,
            distinct=len(set(times)) == len(times),
            sorted=times == sorted(times),
        )

    # Operations: each adds a node and returns its stream, or None where it is not defined

    def op_map(self, s: Stream) -> Stream:
        shape = self.new_shape(s.shape)
        kind = self.one_of("same", "add", "times", "negate", "swap", "rekey")
        node = {"op": "map", "in": [s.node], "shape": shape, "kind": kind, "n": self.integer(-3, 3)}
        order = "none" if kind == "rekey" and s.order == "key" else s.order
        return self.add(node, **s.known(order=order))

    def op_filter(self, s: Stream) -> Stream:
        kind = self.one_of("above", "odd", "truthy", "time")
        node = {"op": "filter", "in": [s.node], "shape": s.shape, "kind": kind, "n": 5}
        return self.add(node, **s.known())

    def op_flat_map(self, s: Stream) -> Stream:
        shape = self.new_shape(s.shape)
        kind = self.one_of("repeat", "maybe", "even")
        node = {"op": "flat_map", "in": [s.node], "shape": shape, "kind": kind}
        node["n"] = self.integer(1, 3)
        return self.add(node, **s.known(distinct=s.distinct and kind == "even"))

    def op_process(self, s: Stream) -> Stream:
        shape = self.new_shape(s.shape)
        kinds = ["stamp", "twice", "plain", "only_side"]
        if s.marks != "loose":
            kinds.append("watermark")
        kind = self.one_of(*kinds)
        if kind == "watermark" and s.order != "total" and s.marks != "end":
            kind = "stamp"
        node = {"op": "process", "in": [s.node], "shape": shape, "kind": kind, "n": 0}
        if kind == "only_side" or self.chance(25):
            node["side"] = True
        if kind == "only_side":
            kind = "stamp"
        return self.add(node, **s.known(distinct=s.distinct and kind != "twice"))

    def op_assign(self, s: Stream) -> Stream | None:
        if s.marks != "end" or s.order != "total":
            return None
        node = {"op": "assign", "in": [s.node], "shape": s.shape}
        node["watermarks"] = {"kind": self.one_of("mono", "bounded"), "delay": 3}
        return self.add(node, **s.known(stamps="ok", distinct=False, sorted=False))

    def op_partition(self, s: Stream) -> Stream:
        how = self.one_of("rebalance", "shuffle", "rescale", "forward", "broadcast")
        if how == "broadcast" and self.batch:
            how = "rebalance"
        parallelism = 1 if how == "forward" else self.parallelism()
        node = {"op": "partition", "in": [s.node], "shape": s.shape, "how": how}
        if parallelism == 1:
            return self.add(node, **s.known())
        node["parallelism"] = parallelism
        marks = "loose" if s.marks == "exact" else s.marks
        distinct = s.distinct and how != "broadcast"
        return self.add(node, **s.known(order="none", marks=marks, distinct=distinct, sorted=False))

    def after_key(
        self, s: Stream, node: dict[str, Any], timers: bool, key: dict[str, Any], **changes: Any
    ) -> Stream:
        """The stream of a keyed operation; `timers`: it emits when watermarks come."""
        parallelism = self.parallelism()
        order = s.order
        if parallelism > 1:
            node["parallelism"] = parallelism
        if parallelism > 1 or timers or self.batch:
            defined = timers or s.ordered_for(key, self.batch)
            order = "key" if key["by"] == "k" and defined else "none"
        marks = "loose" if s.marks == "exact" and parallelism > 1 else s.marks
        known = s.known(order=order, marks=marks)
        if timers or parallelism > 1 or self.batch:
            known["sorted"] = False
        known.update(changes)
        return self.add(node, **known)

    def op_reduce(self, s: Stream) -> Stream | None:
        key = self.key(s)
        kinds = ["max"] if s.shape[2] == "STRING" else ["sum", "max"]
        if s.ordered_for(key, self.batch):
            kinds += ["last", "first"]
        elif not self.batch:
            return None
        kind = self.one_of(*kinds)
        if self.batch and key["by"] not in ("k", "pair") and not s.ordered_for(key, True):
            return None  # the first field of the result is that of the first record
        node = {"op": "reduce", "in": [s.node], "shape": s.shape, "key": key, "kind": kind}
        stamps = "max" if self.batch else s.stamps
        return self.after_key(s, node, False, key, stamps=stamps)

    def op_rolling(self, s: Stream) -> Stream | None:
        key = self.key(s)
        if not s.ordered_for(key, self.batch) or s.shape[2] not in (*NUMBERS, "STRING"):
            return None
        hows = ["min", "max", "min_by", "max_by"] + (["sum"] if s.shape[2] != "STRING" else [])
        how = self.one_of(*hows)
        field: int | str = self.one_of(1, 1, 2)
        if s.shape[0] == "named" and self.chance(50):
            field = "v" if field == 1 else "t"
        node = {"op": "rolling", "in": [s.node], "shape": s.shape, "key": key}
        node.update(how=how, field=field)
        return self.after_key(s, node, False, key, stamps="max" if self.batch else s.stamps)

    def op_running(self, s: Stream) -> Stream | None:
        key = self.key(s)
        if not s.ordered_for(key, self.batch):
            return None
        which = self.one_of("running", "running", "keyed_map", "keyed_flat_map", "keyed_filter")
        shape = s.shape if which == "keyed_filter" else self.new_shape(s.shape)
        node = {"op": which, "in": [s.node], "shape": shape, "key": key, "n": self.integer(1, 3)}
        node["state"] = self.one_of(*STATES)
        if which == "running":
            node["limit"] = self.one_of(10, 50, 1010, 100_000)
            node["side"] = self.chance(30)
        return self.after_key(s, node, False, key)

    def op_flush(self, s: Stream) -> Stream | None:
        key = self.key(s)
        if s.stamps != "ok" or s.marks == "loose":
            return None
        kinds = ["each", "aligned"]
        if s.ordered_for(key, self.batch):
            kinds.append("moved")
        if self.engine == "thread" and not self.batch:
            kinds.append("chain")
        node = {"op": "flush", "in": [s.node], "shape": self.new_shape(s.shape), "key": key}
        node.update(kind=self.one_of(*kinds), state=self.one_of(*STATES), n=self.integer(1, 15))
        node.update(clear=self.chance(50), side=self.chance(20))
        return self.after_key(s, node, True, key, distinct=False)

    def op_window(self, s: Stream) -> Stream | None:
        everything = self.chance(15)
        key = {"by": "const", "typed": False, "type": s.shape[1]} if everything else self.key(s)
        ordered = s.ordered_for(key, self.batch)
        kinds = []
        if s.stamps == "ok" and (s.marks != "loose" or s.on_time) and not self.batch:
            kinds += ["tumbling"] * 3 + ["sliding"] * 3 + ["session"] * 2
            if s.distinct:
                kinds.append("dynamic")
        if ordered and (not everything):
            kinds += ["count", "global"]
        if not kinds:
            return None
        kind = self.one_of(*kinds)
        timed = kind not in ("count", "global")
        sessions = kind in ("session", "dynamic")
        window: dict[str, Any] = {"kind": kind}
        if kind == "count":
            window["size"] = self.integer(1, 4)
            if self.chance(40):
                window["slide"] = self.integer(1, 4)
        elif kind == "sliding":
            window["slide"] = self.integer(2, 10)
            window["size"] = window["slide"] * self.integer(1, 3) + self.one_of(0, 0, 1)
            if self.chance(30):
                window["offset"] = self.integer(0, window["slide"] - 1)
        elif kind == "tumbling":
            window["size"] = self.integer(3, 25)
            if self.chance(30):
                window["offset"] = self.integer(0, window["size"] - 1)
        elif sessions:
            window["size"] = self.integer(1, 12)
        node: dict[str, Any] = {"op": "window", "in": [s.node], "window": window}
        node.update(key=key, all=everything, trigger=None)
        marks_known = s.marks != "loose"
        if kind == "global":
            node["trigger"] = {
                "kind": self.one_of("count", "purging_count"),
                "n": self.integer(1, 4),
            }
        elif timed and self.chance(35):
            triggers = [*WINDOW_END]
            if ordered and marks_known and not self.batch:
                triggers += ["count", "purging_count"]
                if not sessions:
                    triggers += ["nth", "nth_purging"]
                if self.engine == "thread":
                    triggers.append("continuous")
            node["trigger"] = {"kind": self.one_of(*triggers), "n": self.integer(1, 5)}
        if timed and marks_known and self.chance(35):
            node["lateness"] = self.one_of(1, 5, 20, 1000)
        if timed and marks_known and self.chance(40):
            node["late_shape"] = s.shape
        pres: list[Any] = [None, None]
        if not sessions or s.sorted:
            pres += ["reduce", "aggregate"]
        pre = self.one_of(*pres)
        shape = self.new_shape(s.shape)
        strings = s.shape[2] == "STRING"
        # Which of several windows the others are merged into is not defined.
        commutative = not ordered or (sessions and not s.sorted)
        fires_often = (node["trigger"] or {}).get("kind") in ("count", "purging_count")
        if pre == "reduce":
            reduces = ["max"] if strings else ["sum", "max"]
            if not commutative:
                reduces += ["last", "first"]
            elif not everything and key["by"] not in ("k", "pair"):
                return None
            if commutative and everything:
                return None
            node["pre"] = {"how": "reduce", "kind": self.one_of(*reduces), "shape": s.shape}
        elif pre == "aggregate":
            kinds = ["sum", "count", "max"] + ([] if commutative else ["last"])
            node["pre"] = {"how": "aggregate", "kind": self.one_of(*kinds)}
            node["pre"]["typed"] = self.chance(30)
        else:
            node["pre"] = None
        functions = ["sum", "count"] if not commutative or not strings else ["count"]
        if not commutative:
            functions += ["each", "ends"]
        if marks_known and timed and not fires_often and not everything:
            functions.append("watermark")
        if not everything and not commutative:
            functions.append("global_state")
        function = self.one_of(*functions)
        if node["pre"] is not None and self.chance(50):
            function = None
            if pre == "reduce":
                shape = s.shape
        if pre == "aggregate":
            node["pre"]["shape"] = shape if function is None else s.shape
        may_apply = pre is None and not everything
        if function in ("sum", "count", "each", "ends") and may_apply and self.chance(20):
            function = "apply_" + function
        node.update(function=function, shape=shape)
        # What a record makes a trigger emit has the record's timestamp, which may be late.
        at_end = timed and (node["trigger"] or {}).get("kind") in (None, *WINDOW_END)
        punctual = s.on_time or at_end
        on_time = s.marks == "end" or (punctual and not node.get("lateness"))
        changes = {"distinct": False, "on_time": on_time}
        if (node["trigger"] or {}).get("kind") == "continuous":
            # Several windows of a key fire at one time, in the order of Flink's heap.
            if function == "global_state":
                node["function"] = "count"
            changes["order"] = "none"
        if everything:
            changes["order"] = "none" if "order" in changes else order_of_all(ordered, s)
            return self.add(node, **s.known(**changes, sorted=False))
        return self.after_key(s, node, timed, key, **changes)

    def other(self, s: Stream, shape: list[str] | None) -> Stream:
        """A second input: an earlier stream or a new source."""
        earlier = [one for one in self.streams if shape is None or one.shape == shape]
        if earlier and self.chance(40):
            return self.one_of(*earlier)
        ends_only = s.marks == "end" and self.chance(70)
        return self.source(shape, ends_only)

    @staticmethod
    def joined(s: Stream, o: Stream) -> dict[str, Any]:
        marks = "end" if s.marks == o.marks == "end" else "loose"
        stamps = s.stamps if s.stamps == o.stamps else "mixed"
        return {
            "order": "none",
            "marks": marks,
            "stamps": stamps,
            "on_time": s.on_time and o.on_time,
            "distinct": False,
            "sorted": False,
        }

    def alone(self, s: Stream) -> Stream:
        """The same records in one subtask: PyFlink refuses key_by() of a union of streams with
        different parallelism."""
        if not self.graph["nodes"][s.node].get("parallelism"):
            return s
        node = {"op": "map", "in": [s.node], "shape": s.shape, "kind": "same", "n": 0}
        return self.add(node, **s.known())

    def op_union(self, s: Stream) -> Stream:
        s, other = self.alone(s), self.alone(self.other(s, s.shape))
        node = {"op": "union", "in": [s.node, other.node], "shape": s.shape}
        return self.add(node, **self.joined(s, other))

    def op_co(self, s: Stream) -> Stream:
        other = self.other(s, s.shape if self.chance(30) else None)
        known = self.joined(s, other)
        kinds = ["map", "flat_map", "process"]
        if known["marks"] == "end" and known["stamps"] == "ok" and s.shape[1] == other.shape[1]:
            kinds += ["gather"] * 4
        kind = self.one_of(*kinds)
        shape = self.new_shape(s.shape)
        if other.shape[1] != s.shape[1] and shape[0] in TYPED_FORMS:
            shape[0] = "py"
        node = {"op": "co", "in": [s.node, other.node], "shape": shape, "kind": kind}
        node["n"] = self.integer(1, 9)
        if kind == "gather":
            node["key"] = {"by": self.one_of("k", "k", "const", "mod"), "n": 3, "typed": False}
            node["state"] = self.one_of(*STATES)
            parallelism = self.parallelism()
            if parallelism > 1:
                node["parallelism"] = parallelism
        if kind in ("gather", "process"):
            node["side"] = self.chance(40)
        if other.shape[1] != s.shape[1]:
            known["order"] = "none"
        return self.add(node, **known)

    def op_broadcast(self, s: Stream) -> Stream | None:
        other = self.other(s, None)
        known = self.joined(s, other)
        node = {"op": "broadcast", "in": [s.node, other.node], "n": self.integer(1, 9)}
        shape = self.new_shape(s.shape)
        if other.shape[1] != s.shape[1] and shape[0] in TYPED_FORMS:
            shape[0] = "py"
        node["shape"] = shape
        if known["marks"] == "end" and known["stamps"] == "ok" and self.chance(60):
            node["key"] = self.key(s)
            parallelism = self.parallelism()
            if parallelism > 1:
                node["parallelism"] = parallelism
        else:
            if self.graph["nodes"][s.node]["op"] != "source":
                return None
            node["side"] = self.chance(30)
        return self.add(node, **known)

    OPERATIONS = (
        *("map", "filter", "flat_map", "process", "assign", "partition"),
        *("reduce", "rolling", "rolling", "running", "running", "flush", "flush", "flush"),
        *("window",) * 9,
        *("union", "co", "co", "broadcast"),
    )

    def draw_graph(self) -> dict[str, Any]:
        stream = self.source()
        for _ in range(self.integer(1, 4)):
            made = getattr(self, "op_" + self.one_of(*self.OPERATIONS))(stream)
            if made is not None:
                stream = made
                if mixed_keys(self.graph, stream):
                    break
                if self.chance(15):
                    stream = self.one_of(*self.streams)
                    if mixed_keys(self.graph, stream):
                        break
        self.outputs()
        return self.graph

    def outputs(self) -> None:
        outputs = self.graph["outputs"]
        for stream in self.streams:
            node = self.graph["nodes"][stream.node]
            if stream.node not in self.used:
                outputs.append({"node": stream.node, "order": stream.order})
            if node.get("side"):
                # timers and several subtasks: the order of a side output is not followed up
                outputs.append({"node": stream.node, "side": "side", "order": "none"})
            if node.get("late_shape"):
                outputs.append({"node": stream.node, "side": "late", "order": "none"})


def order_of_all(ordered: bool, stream: Stream) -> str:
    """The order behind a window over all keys."""
    return "total" if ordered or stream.marks != "loose" else "none"


def mixed_keys(graph: dict[str, Any], stream: Stream) -> bool:
    """Whether records of two key types are in one stream: nothing more is drawn behind it."""
    node = graph["nodes"][stream.node]
    kinds = {graph["nodes"][i]["shape"][1] for i in node.get("in", [])}
    return len(kinds) > 1 or stream.stamps == "mixed"


@st.composite
def graphs(draw: Any) -> dict[str, Any]:
    """A graph; see the module's text."""
    # One source of choices: hypothesis would else spend most examples on neighbours of earlier
    # ones, and explore.py makes graphs smaller itself, many in one job.
    random = draw(st.randoms(use_true_random=True))
    mode = random.choice(("streaming",) * 4 + ("batch",))
    engine = random.choice(("thread",) * 49 + ("process",)) if mode == "streaming" else "thread"
    return Drawing(random, mode, engine).draw_graph()


def drawn(count: int, seed_number: int) -> list[dict[str, Any]]:
    """`count` graphs, the same ones for the same seed and version of hypothesis."""
    found: list[dict[str, Any]] = []

    @seed(seed_number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(graphs())
    def gather(graph: dict[str, Any]) -> None:
        found.append(graph)

    gather()
    return found[:count]
