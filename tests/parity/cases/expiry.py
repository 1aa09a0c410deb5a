"""State that expires. Upstream counts its life on the machine's clock, so these cases wait: each
record that holds a pause sleeps for much longer, or much shorter, than the state lives. They run
in upstream's thread mode: in process mode nothing expires while Python's cache holds it."""

import time

from harness import case, in_thread_mode

from pyflink.common import Time, Types
from pyflink.datastream import RuntimeContext
from pyflink.datastream.functions import AggregateFunction, KeyedProcessFunction
from pyflink.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    StateTtlConfig,
    ValueStateDescriptor,
)

LIFE_MS = 400
SHORT, LONG = 0.05, 0.9


def config(on_read=False, returns_expired=False):
    builder = StateTtlConfig.new_builder(Time.milliseconds(LIFE_MS))
    if on_read:
        builder.update_ttl_on_read_and_write()
    else:
        builder.update_ttl_on_create_and_write()
    if returns_expired:
        builder.return_expired_if_not_cleaned_up()
    else:
        builder.never_return_expired()
    return builder.build()


class Steps(KeyedProcessFunction):
    """Does to its state what the records say, after the pause they name."""

    def __init__(self, kind, getter, descriptor, on_read=False, returns_expired=False):
        self.kind = kind
        self.getter = getter
        self.descriptor = descriptor
        self.options = (on_read, returns_expired)

    def open(self, runtime_context: RuntimeContext):
        self.descriptor.enable_time_to_live(config(*self.options))
        self.state = getattr(runtime_context, self.getter)(self.descriptor)

    def process_element(self, value, ctx):
        _, what, number, pause = value
        time.sleep(pause)
        yield f"{what} {number}: {getattr(self, what)(number)}"

    def write(self, number):
        if self.kind == "value":
            self.state.update(number)
        elif self.kind == "map":
            self.state.put(f"at {number}", number)
        else:
            self.state.add(number)
        return "done"

    def read(self, number):
        if self.kind == "value":
            return self.state.value()
        if self.kind == "map":
            return sorted(self.state.items())
        found = self.state.get()
        return found if found is None or isinstance(found, int) else list(found)

    def read_one(self, number):
        return (self.state.contains(f"at {number}"), self.state.get(f"at {number}"))

    def clear(self, number):
        self.state.clear()
        return "done"


def stepped(env, steps, function):
    kind = Types.TUPLE([Types.STRING(), Types.STRING(), Types.INT(), Types.DOUBLE()])
    records = [("k", what, number, pause) for what, number, pause in steps]
    in_thread_mode(env)
    keyed = env.from_collection(records, type_info=kind).key_by(
        lambda v: v[0], key_type=Types.STRING()
    )
    return keyed.process(function, Types.STRING())


WRITTEN_THEN_READ = [
    ("write", 1, 0.0),
    ("read", 0, SHORT),
    ("read", 0, LONG),
    ("read", 0, 0.0),
    ("write", 2, 0.0),
    ("read", 0, SHORT),
    ("clear", 0, 0.0),
    ("read", 0, 0.0),
]
WRITTEN_TWICE = [
    ("write", 1, 0.0),
    ("write", 2, 0.6 * LIFE_MS / 1000),
    ("read", 0, 0.6 * LIFE_MS / 1000),
    ("read", 0, LONG),
]
READ_IN_TIME = [
    ("write", 1, 0.0),
    ("read", 0, 0.6 * LIFE_MS / 1000),
    ("read", 0, 0.6 * LIFE_MS / 1000),
    ("read", 0, LONG),
]


class Sum(AggregateFunction):
    def create_accumulator(self):
        return 0

    def add(self, value, accumulator):
        return accumulator + value

    def get_result(self, accumulator):
        return accumulator

    def merge(self, a, b):
        return a + b


KINDS = {
    "value": ("get_state", lambda: ValueStateDescriptor("s", Types.INT())),
    "list": ("get_list_state", lambda: ListStateDescriptor("s", Types.INT())),
    "map": ("get_map_state", lambda: MapStateDescriptor("s", Types.STRING(), Types.INT())),
    "reducing": (
        "get_reducing_state",
        lambda: ReducingStateDescriptor("s", lambda a, b: a + b, Types.INT()),
    ),
    "aggregating": (
        "get_aggregating_state",
        lambda: AggregatingStateDescriptor("s", Sum(), Types.INT()),
    ),
}


def add(kind, suffix, steps, **options):
    getter, descriptor = KINDS[kind]

    def run(env):
        return stepped(env, steps, Steps(kind, getter, descriptor(), **options))

    run.__name__ = f"{kind}_{suffix}"
    case()(run)


for name in KINDS:
    add(name, "expires_after_its_write", WRITTEN_THEN_READ)
    add(name, "written_twice", WRITTEN_TWICE)
for name in ("value", "map"):
    add(name, "kept_alive_by_reads", READ_IN_TIME, on_read=True)
    add(name, "not_kept_alive_by_reads", READ_IN_TIME)
add(
    "value",
    "returned_though_expired",
    WRITTEN_THEN_READ[:2] + [("read", 0, LONG)],
    returns_expired=True,
)
add(
    "map",
    "entry_asked_for_by_key",
    [("write", 1, 0.0), ("read_one", 1, SHORT), ("read_one", 1, LONG)],
)
