"""A new version of a job goes on with the state of the old one.

    python state_evolution.py [--bootstrap-servers localhost:9092
                               --topic orders --output-topic profiles]

It runs version 1 for twenty orders, then version 2, from the last checkpoint, for twenty more.

Version 1 counts a customer's orders. Version 2 also wants the amounts, by category. What makes that
possible:

- operators have a `uid`, under which a checkpoint stores their state; names and order may change;
- state is found by its name: a state that is new is empty, and one that is not declared any more is
  carried on unread;
- the value carries its own version, and is brought up to date when it is read: each customer's at
  the customer's next order.

A declared type is part of the state (`Types.INT()` cannot become `Types.STRING()`): another type
needs another name. That is why the profile is declared as any Python object, PICKLED_BYTE_ARRAY.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from connections import arguments_of, read_topic, results
from shop import Order, orders

from pyflink.common import Configuration, Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.checkpoint_config import ExternalizedCheckpointRetention
from pyflink.datastream.functions import KeyedProcessFunction, RuntimeContext, SourceFunction
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor


class ProfileV1(KeyedProcessFunction):
    """The profile is {"version": 1, "orders": n}."""

    def open(self, runtime_context: RuntimeContext) -> None:
        self._profile = runtime_context.get_state(
            ValueStateDescriptor("profile", Types.PICKLED_BYTE_ARRAY())
        )

    def process_element(
        self, value: Order, ctx: KeyedProcessFunction.Context
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        profile = self._profile.value() or {"version": 1, "orders": 0}
        profile["orders"] += 1
        self._profile.update(profile)
        yield value.customer, profile


def upgraded(profile: dict[str, Any] | None) -> dict[str, Any]:
    """The profile as version 2 knows it, whichever version wrote it."""
    if profile is None:
        return {"version": 2, "orders": 0, "since_upgrade": 0}
    if profile["version"] == 1:
        # What version 1 did not write down nobody knows: say so rather than guess.
        return {"version": 2, "orders": profile["orders"], "since_upgrade": 0}
    return profile


class ProfileV2(KeyedProcessFunction):
    """Reads profiles of both versions; amounts have a state of their own."""

    def open(self, runtime_context: RuntimeContext) -> None:
        self._profile = runtime_context.get_state(
            ValueStateDescriptor("profile", Types.PICKLED_BYTE_ARRAY())
        )
        self._spent = runtime_context.get_map_state(
            MapStateDescriptor("spent", Types.STRING(), Types.DOUBLE())
        )

    def process_element(
        self, value: Order, ctx: KeyedProcessFunction.Context
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        profile = upgraded(self._profile.value())
        profile["orders"] += 1
        profile["since_upgrade"] += 1
        self._profile.update(profile)
        self._spent.put(value.category, (self._spent.get(value.category) or 0.0) + value.amount)
        yield value.customer, {**profile, "spent": dict(self._spent.items())}


def profiles(stream: DataStream, function: KeyedProcessFunction) -> DataStream:
    """Orders in, (customer, profile) out."""
    keyed = stream.key_by(lambda order: order.customer, Types.STRING())
    return keyed.process(function).uid("profiles")


class Orders(SourceFunction):
    """A few orders, then silence until the job is cancelled: the checkpoint comes meanwhile."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def run(self, ctx: Any) -> None:
        self._stop = threading.Event()
        for order in orders(20, self._seed):
            ctx.collect(order)
        self._stop.wait()

    def cancel(self) -> None:
        self._stop.set()


def run(
    function: KeyedProcessFunction,
    seed: int,
    arguments: argparse.Namespace,
    folder: Path,
    restore: str | None,
) -> str:
    """Runs 20 orders through a version; returns the checkpoint that it leaves."""
    configuration = Configuration()
    if restore is not None:
        configuration.set_string("execution.savepoint.path", restore)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.set_parallelism(1)
    env.enable_checkpointing(50)
    checkpoints = env.get_checkpoint_config()
    checkpoints.set_checkpoint_storage_dir(folder.as_uri())
    checkpoints.set_externalized_checkpoint_retention(
        ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION
    )
    if arguments.bootstrap_servers:
        stream = read_topic(env, arguments, arguments.topic, Order)
    else:
        stream = env.add_source(Orders(seed)).uid("orders")
    made = profiles(stream, function)
    if arguments.bootstrap_servers:
        results(made, arguments)
    latest: dict[str, Any] = {}
    with made.execute_and_collect() as collected:
        for number, (customer, profile) in enumerate(collected, start=1):
            latest[customer] = profile
            if number == 20:
                break
        # A checkpoint that was complete before now may lack the last orders: wait for the next two.
        known = set(folder.glob("*/chk-*/_metadata"))
        numbers = [_number(path) for path in known]
        while max((_number(p) for p in folder.glob("*/chk-*/_metadata")), default=0) < (
            max(numbers, default=0) + 2
        ):
            threading.Event().wait(0.01)
    for customer, profile in sorted(latest.items()):
        print(f"  {customer}: {profile}")
    newest = max(folder.glob("*/chk-*/_metadata"), key=lambda path: path.stat().st_mtime_ns)
    return newest.parent.as_uri()


def _number(manifest: Path) -> int:
    return int(manifest.parent.name.removeprefix("chk-"))


def main() -> None:
    arguments = arguments_of(__doc__, "--checkpoints")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.checkpoints or temporary).resolve()
        print("version 1:", flush=True)
        checkpoint = run(ProfileV1(), 1, arguments, folder, None)
        print(f"version 2, from {checkpoint.rsplit('/', 1)[-1]}:", flush=True)
        run(ProfileV2(), 2, arguments, folder, checkpoint)


if __name__ == "__main__":
    main()
