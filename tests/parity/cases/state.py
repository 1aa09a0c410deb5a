"""Keyed state of every kind: what reading, writing, clearing and iterating it gives."""

from decimal import Decimal

from harness import case

from pyflink.common import Row, Time, Types
from pyflink.datastream import RuntimeExecutionMode
from pyflink.datastream.functions import (
    AggregateFunction,
    FilterFunction,
    KeyedProcessFunction,
    MapFunction,
    ReduceFunction,
)
from pyflink.datastream.state import (
    AggregatingStateDescriptor,
    ListStateDescriptor,
    MapStateDescriptor,
    ReducingStateDescriptor,
    StateTtlConfig,
    ValueStateDescriptor,
)

PAIRS = [("a", 1), ("b", 2), ("a", 3), ("a", 4), ("b", 5), ("c", 6), ("a", 7)]
MODES = {"streaming": RuntimeExecutionMode.STREAMING, "batch": RuntimeExecutionMode.BATCH}


def keyed(env, values=PAIRS):
    return env.from_collection(values).key_by(lambda v: v[0], key_type=Types.STRING())


class WithState(KeyedProcessFunction):
    """Calls `step(states, value)` with the states that `descriptors` name."""

    def __init__(self, step, *descriptors):
        self.step = step
        self.descriptors = descriptors

    def open(self, runtime_context):
        get = {
            ValueStateDescriptor: runtime_context.get_state,
            ListStateDescriptor: runtime_context.get_list_state,
            MapStateDescriptor: runtime_context.get_map_state,
            ReducingStateDescriptor: runtime_context.get_reducing_state,
            AggregatingStateDescriptor: runtime_context.get_aggregating_state,
        }
        self.states = [get[type(one)](one) for one in self.descriptors]

    def process_element(self, value, ctx):
        yield (value[0], self.step(value[1], *self.states))


def stepped(env, step, *descriptors, values=PAIRS):
    return keyed(env, values).process(WithState(step, *descriptors))


class Sum(ReduceFunction):
    def reduce(self, value1, value2):
        return value1 + value2


class Mean(AggregateFunction):
    def create_accumulator(self):
        return (0, 0)

    def add(self, value, accumulator):
        return (accumulator[0] + value, accumulator[1] + 1)

    def get_result(self, accumulator):
        return accumulator[0] / accumulator[1]

    def merge(self, a, b):
        return (a[0] + b[0], a[1] + b[1])


ACCUMULATOR = Types.TUPLE([Types.INT(), Types.INT()])
VALUE = ValueStateDescriptor("value", Types.INT())
LIST = ListStateDescriptor("list", Types.INT())
MAP = MapStateDescriptor("map", Types.STRING(), Types.INT())
REDUCING = ReducingStateDescriptor("reducing", Sum(), Types.INT())
AGGREGATING = AggregatingStateDescriptor("aggregating", Mean(), ACCUMULATOR)


def counting(number, value):
    seen = value.value()
    value.update((seen or 0) + number)
    return (seen, value.value())


def listing(number, items):
    items.add(number)
    items.add_all([number * 10, number * 100])
    return list(items.get())


def mapping(number, entries):
    entries.put(f"k{number % 3}", number)
    return sorted(entries.items())


def reducing(number, total):
    before = total.get()
    total.add(number)
    return (before, total.get())


def averaging(number, mean):
    mean.add(number)
    return mean.get()


STEPS = {
    "value": (counting, VALUE),
    "list": (listing, LIST),
    "map": (mapping, MAP),
    "reducing": (reducing, REDUCING),
    "aggregating": (averaging, AGGREGATING),
}


def add(kind, mode, parallelism):
    step, descriptor = STEPS[kind]

    def run(env):
        env.set_runtime_mode(MODES[mode])
        env.set_parallelism(parallelism)
        return stepped(env, step, descriptor)

    run.__name__ = f"{kind}_state_in_{mode}_at_{parallelism}"
    case(ordered=False)(run)


for one in STEPS:
    add(one, "streaming", 2)
    add(one, "batch", 1)
    add(one, "batch", 2)


@case()
def value_cleared_reads_none(env):
    def step(number, value):
        if number % 2:
            value.clear()
        before = value.value()
        value.update(number)
        return before

    return stepped(env, step, VALUE)


@case()
def value_updated_with_none_reads_none(env):
    def step(number, value):
        before = value.value()
        value.update(None if number % 2 else number)
        return (before, value.value())

    return stepped(env, step, VALUE)


@case()
def pickled_value_state(env):
    def step(number, value):
        seen = value.value() or {"all": [], "last": None}
        seen["all"].append(number)
        seen["last"] = (number, str(number))
        value.update(seen)
        return value.value()

    return stepped(env, step, ValueStateDescriptor("any", Types.PICKLED_BYTE_ARRAY()))


@case()
def value_changed_in_place_without_update(env):
    def step(number, value):
        seen = value.value()
        if seen is None:
            value.update([number])
            return [number]
        seen.append(number)
        return list(value.value())

    return stepped(
        env,
        step,
        ValueStateDescriptor("any", Types.PICKLED_BYTE_ARRAY()),
        values=[("a", 1), ("a", 2), ("a", 3)],
    )


@case()
def row_value_state(env):
    def step(number, value):
        seen = value.value()
        value.update(Row(number, str(number)))
        return None if seen is None else (seen[0], seen[1])

    kind = Types.ROW([Types.INT(), Types.STRING()])
    return stepped(env, step, ValueStateDescriptor("row", kind))


@case()
def decimal_value_state(env):
    def step(number, value):
        value.update((value.value() or Decimal("0.00")) + Decimal(number) / 4)
        return value.value()

    return stepped(env, step, ValueStateDescriptor("decimal", Types.BIG_DEC()))


@case()
def two_value_states_are_apart(env):
    def step(number, first, second):
        first.update((first.value() or 0) + number)
        second.update(str(second.value()) + str(number))
        return (first.value(), second.value())

    return stepped(env, step, VALUE, ValueStateDescriptor("other", Types.STRING()))


@case()
def list_of_nothing(env):
    def step(number, items):
        before = list(items)
        if number > 1:
            items.add(number)
        return (before, list(items.get()))

    return stepped(env, step, LIST)


@case()
def list_cleared_and_refilled(env):
    def step(number, items):
        items.add(number)
        if number == 3:
            items.clear()
        if number == 4:
            items.update([])
        if number == 5:
            items.update([50, 51])
        return list(items)

    return stepped(env, step, LIST)


@case()
def list_of_rows(env):
    def step(number, items):
        items.add(Row(number, "x" * number))
        return [(one[0], one[1]) for one in items]

    kind = Types.ROW([Types.INT(), Types.STRING()])
    return stepped(env, step, ListStateDescriptor("rows", kind))


@case()
def list_iterated_twice(env):
    def step(number, items):
        items.add(number)
        return (sum(items), max(items), len(list(items)))

    return stepped(env, step, LIST)


@case()
def map_as_a_dictionary(env):
    def step(number, entries):
        entries["n"] = number
        entries[str(number)] = 1
        found = ("n" in entries, "1" in entries, "x" in entries, entries["n"])
        if number == 4:
            del entries["1"]
        return (*found, sorted(entries))

    return stepped(env, step, MAP)


@case()
def map_get_of_a_missing_key(env):
    return stepped(env, lambda number, entries: entries.get("none"), MAP)


@case()
def map_put_all_and_remove(env):
    def step(number, entries):
        entries.put_all({"a": number, "b": number * 2, f"c{number}": 0})
        entries.remove("b")
        return (sorted(entries.keys()), sorted(entries.values()))

    return stepped(env, step, MAP)


@case()
def map_cleared_is_empty(env):
    def step(number, entries):
        before = entries.is_empty()
        entries.put(str(number), number)
        middle = entries.is_empty()
        if number in (3, 5):
            entries.clear()
        return (before, middle, entries.is_empty(), sorted(entries.items()))

    return stepped(env, step, MAP)


@case()
def map_with_none_values(env):
    def step(number, entries):
        entries.put("none", None)
        return ("none" in entries, entries.get("none"), list(entries.items()))

    kind = MapStateDescriptor("any", Types.STRING(), Types.PICKLED_BYTE_ARRAY())
    return stepped(env, step, kind)


@case()
def map_with_int_keys_and_lists(env):
    def step(number, entries):
        held = entries.get(number % 2) or []
        entries.put(number % 2, [*held, number])
        return sorted(entries.items())

    kind = MapStateDescriptor("lists", Types.INT(), Types.LIST(Types.INT()))
    return stepped(env, step, kind)


@case()
def map_keeps_a_key_that_is_put_again(env):
    def step(number, entries):
        entries.put("x", number)
        entries.put("x", number + 1)
        entries.remove("x")
        entries.put("x", number + 2)
        return list(entries.items())

    return stepped(env, step, MAP)


@case()
def reducing_state_cleared(env):
    def step(number, total):
        total.add(number)
        if number in (3, 5):
            total.clear()
        return total.get()

    return stepped(env, step, REDUCING)


@case()
def reducing_state_with_a_lambda(env):
    kind = ReducingStateDescriptor("max", lambda a, b: max(a, b), Types.INT())
    values = [("a", 3), ("a", 1), ("b", 2), ("a", 9), ("b", 1)]
    return stepped(env, reducing, kind, values=values)


@case()
def aggregating_state_cleared(env):
    def step(number, mean):
        mean.add(number)
        before = mean.get()
        if number == 3:
            mean.clear()
        return before

    return stepped(env, step, AGGREGATING)


@case()
def aggregating_state_before_the_first_add(env):
    def step(number, mean):
        before = mean.get()
        mean.add(number)
        return (before, mean.get())

    return stepped(env, step, AGGREGATING)


def ttl(updates_on_read):
    builder = StateTtlConfig.new_builder(Time.hours(1))
    if updates_on_read:
        builder = builder.update_ttl_on_read_and_write()
    return builder.never_return_expired().build()


@case()
def value_with_a_long_ttl(env):
    kind = ValueStateDescriptor("kept", Types.INT())
    kind.enable_time_to_live(ttl(False))
    return stepped(env, counting, kind)


@case()
def map_with_a_long_ttl(env):
    kind = MapStateDescriptor("kept", Types.STRING(), Types.INT())
    kind.enable_time_to_live(ttl(True))
    return stepped(env, mapping, kind)


@case()
def list_with_a_long_ttl(env):
    kind = ListStateDescriptor("kept", Types.INT())
    kind.enable_time_to_live(ttl(False))
    return stepped(env, listing, kind)


class Deduplicate(FilterFunction):
    def open(self, runtime_context):
        self.seen = runtime_context.get_state(ValueStateDescriptor("seen", Types.BOOLEAN()))

    def filter(self, value):
        if self.seen.value():
            return False
        self.seen.update(True)
        return True


@case()
def state_in_a_filter(env):
    return keyed(env).filter(Deduplicate())


@case(ordered=False)
def state_in_a_filter_at_four(env):
    env.set_parallelism(4)
    return keyed(env).filter(Deduplicate())


class Numbered(MapFunction):
    def open(self, runtime_context):
        self.count = runtime_context.get_state(ValueStateDescriptor("count", Types.LONG()))

    def map(self, value):
        self.count.update((self.count.value() or 0) + 1)
        return (*value, self.count.value())


@case()
def state_in_a_map(env):
    return keyed(env).map(Numbered())


@case(ordered=False)
def state_in_a_map_in_batch(env):
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    return keyed(env).map(Numbered())


@case()
def state_of_one_operator_is_not_seen_by_the_next(env):
    return keyed(env).map(Numbered()).key_by(lambda v: v[0]).map(Numbered())


@case()
def state_per_composite_key(env):
    return (
        env.from_collection(PAIRS)
        .key_by(lambda v: (v[0], v[1] % 2), key_type=Types.TUPLE([Types.STRING(), Types.INT()]))
        .map(Numbered())
    )


class FallsBack(KeyedProcessFunction):
    def open(self, runtime_context):
        self.last = runtime_context.get_state(ValueStateDescriptor("last", Types.STRING()))

    def process_element(self, value, ctx):
        yield (value[0], self.last.value())
        self.last.update("")
        yield (value[0], self.last.value())
        self.last.update("ünïcode ✓")
        yield (value[0], self.last.value())


@case()
def strings_empty_and_unicode_in_state(env):
    return keyed(env, [("a", 1), ("a", 2)]).process(FallsBack())
