"""A source that emits what a test wrote down."""

from __future__ import annotations

from pyflink.datastream._graph import Edge, Transformation, declared_type
from pyflink.datastream.data_stream import DataStream

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pyflink import _native
    from pyflink.common.typeinfo import TypeInformation
    from pyflink.datastream.stream_execution_environment import StreamExecutionEnvironment

__all__ = ["ScriptedSource"]

ELEMENT, WATERMARK, IDLE, ACTIVE, TIME = range(5)


class ScriptedSource:
    """A bounded source: elements, watermarks, idleness and the passing of time, in order.

    Each method adds a step and returns the source. After the last step the source ends, and with it
    comes the watermark that closes all windows, as with every bounded source::

        source = (
            ScriptedSource()
            .element("a", 1000)
            .watermark(5000)
            .advance_processing_time(60_000)
            .element("late", 2000)
        )
        stream = source.to_stream(env)
    """

    def __init__(self, type_info: TypeInformation | None = None) -> None:
        """Makes an empty script.

        :param type_info: type of the records; any Python object when left out.
        """
        self._type_info = declared_type(type_info, "type_info of ScriptedSource")
        self._steps: list[tuple[int, Any, int | None]] = []

    def element(self, value: Any, timestamp: int | None = None) -> ScriptedSource:
        """Emits one record.

        :param value: the record.
        :param timestamp: its event timestamp in milliseconds; without one it has none.
        """
        self._steps.append((ELEMENT, value, timestamp))
        return self

    def elements(self, *elements: tuple[Any, int]) -> ScriptedSource:
        """Emits records given as pairs of value and timestamp."""
        for value, timestamp in elements:
            self.element(value, timestamp)
        return self

    def values(self, values: Iterable[Any]) -> ScriptedSource:
        """Emits records without timestamps."""
        for value in values:
            self.element(value)
        return self

    def watermark(self, timestamp: int) -> ScriptedSource:
        """Emits a watermark; one that does not rise changes nothing, as everywhere."""
        self._steps.append((WATERMARK, None, timestamp))
        return self

    def idle(self) -> ScriptedSource:
        """Takes the source out of event time: it holds back no watermark."""
        self._steps.append((IDLE, None, None))
        return self

    def active(self) -> ScriptedSource:
        """Takes part again. A watermark does that too."""
        self._steps.append((ACTIVE, None, None))
        return self

    def advance_processing_time(self, millis: int) -> ScriptedSource:
        """Moves the environment's clock, once everything before it has been worked off.

        When a program has several scripted sources, the clock moves when all that still play have
        come to such a step, and first to the earliest of them.

        :raises ValueError: below 0.
        """
        if millis < 0:
            raise ValueError(f"processing time cannot go back by {-millis} ms")
        self._steps.append((TIME, None, millis))
        return self

    def to_stream(
        self, env: StreamExecutionEnvironment, name: str = "Scripted Source"
    ) -> DataStream:
        """The script as a stream of `env`, at parallelism 1. Later steps are not part of it.

        :param env: a :class:`TestStreamEnvironment`, which plays its sources step by step in turn,
            or any other environment, for a script that does not move the clock.
        :param name: name of the source.
        :raises ValueError: for a script that moves the clock in an environment that has no clock to
            move.
        :raises TypeError: for a record that is not of the declared type.
        """
        from pyflink import _native

        logical = self._type_info._logical()
        script = _native.Script(None if logical.kind == "object" else logical)
        node = Transformation(
            env,
            "script",
            name,
            [],
            self._type_info,
            {"script": script},
            single=True,
            native_type=None,
        )
        steps = list(self._steps)
        plays = getattr(env, "_plays", None)
        if plays is not None:
            plays.append(Play(script, steps, name))
        elif any(kind == TIME for kind, _, _ in steps):
            raise ValueError(
                "the script moves the clock, which only a TestStreamEnvironment has; build the"
                " stream in one, or leave advance_processing_time() out"
            )
        else:
            play = Play(script, steps, name)
            while not play.ended:
                play.step()
        return DataStream(env, [Edge(node)], self._type_info)


class Play:
    """A script that is being played."""

    def __init__(
        self, script: _native.Script, steps: list[tuple[int, Any, int | None]], name: str
    ) -> None:
        self._script = script
        self._steps = steps
        self._name = name
        self._next = 0
        self.wakes_at = 0  # the clock, relative to the start of the job
        self.ended = False

    def waits(self) -> bool:
        """The next step is one for the clock."""
        return (
            not self.ended and self._next < len(self._steps) and self._steps[self._next][0] == TIME
        )

    def waits_until(self) -> int:
        """When the clock would let it go on."""
        return self.wakes_at + (self._steps[self._next][2] or 0)

    def wake(self) -> None:
        """The clock came to :meth:`waits_until`."""
        self.wakes_at = self.waits_until()
        self._next += 1

    def step(self) -> None:
        """Plays one step, or ends."""
        if self._next == len(self._steps):
            self.ended = True
            self._script.end()
            return
        kind, value, number = self._steps[self._next]
        if kind == ELEMENT:
            try:
                self._script.element(value, number)
            except Exception as error:
                raise TypeError(
                    f"{self._name!r}, step {self._next + 1}: {error}; correct the element or"
                    " type_info"
                ) from None
        elif kind == WATERMARK:
            self._script.watermark(number or 0)
        else:
            self._script.status(kind == IDLE)
        self._next += 1
