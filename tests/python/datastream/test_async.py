"""Asynchronous I/O: order, capacity, watermarks, time-outs, retries, errors."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.datastream import (
    AsyncDataStream,
    AsyncFunction,
    AsyncRetryStrategy,
    ProcessFunction,
    SourceFunction,
    StreamExecutionEnvironment,
)
from pyflink.datastream.async_retry_predicates import (
    empty_result_predicate,
    exception_type_predicate,
    has_exception_predicate,
)
from pyflink.datastream.async_retry_strategies import (
    NO_RETRY_STRATEGY,
    ExponentialBackoffDelayRetryStrategy,
    FixedDelayRetryStrategy,
)

LONG = Time.seconds(60)


@pytest.fixture
def env():
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.set_parallelism(1)
    return environment


def collected(stream):
    with stream.execute_and_collect() as results:
        return list(results)


class Answers(AsyncFunction):
    """Answers in the reverse order: nothing before `count` records were asked."""

    def __init__(self, count):
        self.count = count
        self.waiting = []

    async def async_invoke(self, value):
        mine = asyncio.get_running_loop().create_future()
        self.waiting.append(mine)
        if len(self.waiting) == self.count:
            for future in reversed(self.waiting):
                future.set_result(None)
            self.waiting = []
        await mine
        return [value, -value]


def test_ordered_results_keep_the_order_of_the_records(env):
    stream = AsyncDataStream.ordered_wait(env.from_collection([1, 2, 3]), Answers(3), LONG)
    assert collected(stream) == [1, -1, 2, -2, 3, -3]


def test_unordered_results_come_as_they_are_there(env):
    stream = AsyncDataStream.unordered_wait(env.from_collection([1, 2, 3]), Answers(3), LONG)
    assert collected(stream) == [3, -3, 2, -2, 1, -1]


def test_no_more_records_than_the_capacity_are_under_way(env):
    class Counting(AsyncFunction):
        def __init__(self):
            self.now = self.most = 0

        async def async_invoke(self, value):
            self.now += 1
            self.most = max(self.most, self.now)
            for _ in range(5):
                await asyncio.sleep(0)
            self.now -= 1
            return [self.most]

    stream = AsyncDataStream.unordered_wait(
        env.from_collection(list(range(100))), Counting(), LONG, 3
    )
    results = collected(stream)
    assert len(results) == 100
    assert max(results) <= 3


def test_thousands_of_records_in_parallel_all_arrive(env):
    class Echo(AsyncFunction):
        async def async_invoke(self, value):
            if value % 3:
                await asyncio.sleep(0)
            return [value]

    env.set_parallelism(2)
    numbers = env.from_sequence(1, 3000).rebalance()
    ordered = AsyncDataStream.ordered_wait(numbers, Echo(), LONG, 20, Types.LONG())
    assert sorted(collected(ordered.map(lambda v: v + 1, Types.LONG()))) == list(range(2, 3002))


def test_results_may_be_none_at_all(env):
    class OnlyEven(AsyncFunction):
        async def async_invoke(self, value):
            return [value] if value % 2 == 0 else []

    stream = AsyncDataStream.ordered_wait(env.from_collection([1, 2, 3, 4]), OnlyEven(), LONG)
    assert collected(stream) == [2, 4]


def test_watermarks_do_not_pass_records_and_timestamps_stay(env):
    class EveryRecord:
        def on_event(self, event, timestamp, output):
            output.emit_watermark(timestamp)

        def on_periodic_emit(self, output):
            pass

    class Reversed(AsyncFunction):
        async def async_invoke(self, value):
            for _ in range(10 - value):  # the later, the sooner
                await asyncio.sleep(0)
            return [value]

    class Seen(ProcessFunction):
        def process_element(self, value, ctx):
            watermark = ctx.timer_service().current_watermark()
            yield value, ctx.timestamp(), max(watermark, 0)

    strategy = WatermarkStrategy.for_generator(lambda *_: EveryRecord()).with_timestamp_assigner(
        lambda value, _: value
    )
    numbers = env.from_collection([1, 2, 3]).assign_timestamps_and_watermarks(strategy)
    stream = AsyncDataStream.unordered_wait(numbers, Reversed(), LONG).process(Seen())
    assert collected(stream) == [(1, 1, 0), (2, 2, 1), (3, 3, 2)]


def test_the_function_is_opened_and_closed_in_the_task(env):
    events = []

    class Living(AsyncFunction):
        def open(self, runtime_context):
            events.append(("open", runtime_context.get_index_of_this_subtask()))
            self.thread = threading.get_ident()

        async def async_invoke(self, value):
            return [threading.get_ident() == self.thread]

        def close(self):
            events.append(("close", threading.get_ident() == self.thread))

    stream = AsyncDataStream.unordered_wait(env.from_collection([1]), Living(), LONG)
    assert collected(stream) == [False]
    assert events == [("open", 0), ("close", True)]


class Never(AsyncFunction):
    async def async_invoke(self, value):
        await asyncio.Event().wait()
        return [value]


def test_what_takes_too_long_is_asked_of_timeout(env):
    class Late(Never):
        def timeout(self, value):
            return [f"late {value}"]

    stream = AsyncDataStream.ordered_wait(
        env.from_collection([1, 2]), Late(), Time.milliseconds(20), 2, Types.STRING()
    )
    assert collected(stream) == ["late 1", "late 2"]


def test_a_timeout_fails_the_job_unless_overridden(env):
    stream = AsyncDataStream.ordered_wait(env.from_collection([7]), Never(), Time.milliseconds(10))
    with pytest.raises(TimeoutError, match=r"Never\.async_invoke\(\) did not answer in time for 7"):
        collected(stream)


def test_a_job_that_is_cancelled_does_not_wait_for_answers(env):
    stream = AsyncDataStream.ordered_wait(env.from_collection([7]), Never(), LONG)
    stream.print()
    client = env.execute_async()
    client.cancel().result()
    assert client.is_done()


def test_an_exception_is_the_users_own(env):
    class Failing(AsyncFunction):
        async def async_invoke(self, value):
            raise KeyError("mine")

    stream = AsyncDataStream.unordered_wait(env.from_collection([1]), Failing(), LONG)
    with pytest.raises(KeyError, match="mine") as caught:
        collected(stream)
    assert any("async wait operator" in note for note in caught.value.__notes__)
    assert "in async_invoke() of the record 1" in caught.value.__notes__


def test_a_cancellation_of_the_users_own_is_an_error(env):
    class Cancelling(AsyncFunction):
        async def async_invoke(self, value):
            raise asyncio.CancelledError

    stream = AsyncDataStream.unordered_wait(env.from_collection([1]), Cancelling(), LONG)
    with pytest.raises(RuntimeError, match=r"Cancelling\.async_invoke\(\) was cancelled"):
        collected(stream)


def test_a_function_that_ignores_its_cancellation_has_timed_out_all_the_same(env):
    class Stubborn(AsyncFunction):
        async def async_invoke(self, value):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return [value]

        def timeout(self, value):
            return [-value]

    stream = AsyncDataStream.ordered_wait(
        env.from_collection([1, 2]), Stubborn(), Time.milliseconds(20)
    )
    assert collected(stream) == [-1, -2]


def test_a_parameter_with_a_default_is_no_result_future(env):
    class Session(AsyncFunction):
        async def async_invoke(self, value, session=None):
            return [(value, session)]

    stream = AsyncDataStream.ordered_wait(env.from_collection([1]), Session(), LONG)
    assert collected(stream) == [(1, None)]


@pytest.mark.parametrize("results", [None, 3, "text", (1, 2)])
def test_results_must_be_a_list(env, results):
    class Wrong(AsyncFunction):
        async def async_invoke(self, value):
            return results

    stream = AsyncDataStream.unordered_wait(env.from_collection([1]), Wrong(), LONG)
    with pytest.raises(TypeError, match=r"Wrong\.async_invoke\(\) must return a list"):
        collected(stream)


class Flaky(AsyncFunction):
    """Fails, then gives nothing, then the record."""

    def __init__(self):
        self.attempts = {}

    async def async_invoke(self, value):
        self.attempts[value] = attempt = self.attempts.get(value, 0) + 1
        if attempt == 1:
            raise ConnectionError("down")
        return [] if attempt == 2 else [(value, attempt)]


@pytest.mark.parametrize("how", ["ordered_wait_with_retry", "unordered_wait_with_retry"])
def test_it_is_tried_again_when_the_strategy_says_so(env, how):
    strategy = AsyncRetryStrategy.fixed_delay(5, 1, empty_result_predicate, has_exception_predicate)
    stream = getattr(AsyncDataStream, how)(env.from_collection([1, 2]), Flaky(), LONG, strategy)
    assert sorted(collected(stream)) == [(1, 3), (2, 3)]


def test_retries_end_with_their_number(env):
    strategy = AsyncRetryStrategy.exponential_backoff(
        2, 1, 4, 2.0, None, lambda e: exception_type_predicate(e, ConnectionError)
    )
    calls = []

    class Down(AsyncFunction):
        async def async_invoke(self, value):
            calls.append(value)
            raise ConnectionError("down for good")

    stream = AsyncDataStream.ordered_wait_with_retry(
        env.from_collection([1]), Down(), LONG, strategy
    )
    with pytest.raises(ConnectionError, match="down for good"):
        collected(stream)
    assert calls == [1, 1, 1]


def test_strategies():
    fixed = AsyncRetryStrategy.fixed_delay(2, 50, None, None)
    assert isinstance(fixed, FixedDelayRetryStrategy)
    assert [fixed.can_retry(n) for n in (1, 2, 3)] == [True, True, False]
    assert fixed.get_backoff_time_millis(2) == 50
    growing = AsyncRetryStrategy.exponential_backoff(9, 10, 100, 3.0, None, None)
    assert isinstance(growing, ExponentialBackoffDelayRetryStrategy)
    assert [growing.get_backoff_time_millis(n) for n in (1, 2, 3, 4, 5)] == [10, 30, 90, 100, 100]
    assert AsyncRetryStrategy.no_restart() is NO_RETRY_STRATEGY
    assert not NO_RETRY_STRATEGY.can_retry(1)
    for arguments in ((0, 1, None, None), (1, 0, None, None)):
        with pytest.raises(AssertionError, match="greater than zero"):
            AsyncRetryStrategy.fixed_delay(*arguments)


class Plain(AsyncFunction):
    def async_invoke(self, value):
        return [value]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((Plain(), LONG), TypeError, "must be declared with 'async def'"),
        ((Never, LONG), TypeError, "needs an AsyncFunction"),
        ((Never(), LONG, 0), ValueError, "capacity must be at least 1"),
        ((Never(), "soon"), TypeError, "timeout must be a Time"),
    ],
)
def test_wrong_use_fails_at_once(env, arguments, error, message):
    with pytest.raises(error, match=message):
        AsyncDataStream.unordered_wait(env.from_collection([1]), *arguments)


def test_retries_need_a_timeout(env):
    strategy = AsyncRetryStrategy.fixed_delay(1, 1, None, None)
    with pytest.raises(ValueError, match="needs a timeout above 0"):
        AsyncDataStream.ordered_wait_with_retry(
            env.from_collection([1]), Never(), Time.seconds(0), strategy
        )


def test_after_a_keyed_stream_and_before_another(env):
    class Echo(AsyncFunction):
        async def async_invoke(self, value):
            return [value]

    keyed = env.from_collection([1, 2, 3]).key_by(lambda v: v % 2)
    stream = AsyncDataStream.ordered_wait(keyed, Echo(), LONG, output_type=Types.INT())
    assert sorted(collected(stream.key_by(lambda v: 0).reduce(lambda a, b: a + b))) == [1, 3, 6]


def test_a_checkpoint_completes_only_behind_the_results_under_way(env, tmp_path):
    env.get_checkpoint_config().set_checkpoint_storage_dir(str(tmp_path))
    answer, asked, end = threading.Event(), threading.Event(), threading.Event()
    order = []

    class Held(AsyncFunction):
        async def async_invoke(self, value):
            if value == 2:
                asked.set()
            await asyncio.get_running_loop().run_in_executor(None, answer.wait)
            return [value]

    class Two(SourceFunction):
        def run(self, ctx):
            ctx.collect(1)
            ctx.collect(2)
            end.wait()

        def cancel(self):
            end.set()

    AsyncDataStream.ordered_wait(env.add_source(Two()), Held(), LONG, 5, Types.LONG()).map(
        order.append
    )
    client = env.execute_async()
    try:
        assert asked.wait(60)

        def checkpoint():
            client._job.trigger_checkpoint()
            order.append("checkpoint")

        waiting = threading.Thread(target=checkpoint)
        waiting.start()
        # What must not happen cannot be waited for; without the wait it happens within a slice.
        waiting.join(0.2)
        assert order == []
        answer.set()
        waiting.join(60)
        assert order == [1, 2, "checkpoint"]
    finally:
        answer.set()
        end.set()
        client.get_job_execution_result().result()
