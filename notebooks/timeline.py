"""Draws what a window operator did, as SVG: event time to the right, arrival downwards.

Used by windows_and_lateness.ipynb; shows itself when it is the last expression of a cell.
"""

from __future__ import annotations

from html import escape
from typing import Any, NamedTuple

from pyflink.datastream import OutputTag
from pyflink.testing import KeyedOneInputStreamOperatorTestHarness, StreamRecord

LATE = OutputTag("late")

ON_TIME = "#2a7f62"
CORRECTS = "#d98e04"
TOO_LATE = "#c0392b"
WATERMARK = "#5b6ee1"


class Arrival(NamedTuple):
    """An element, or a watermark (value None)."""

    value: Any
    time: int


class Timeline:
    """Plays arrivals to windows and remembers what each of them led to."""

    def __init__(self, build: Any, arrivals: list[Arrival], window_ms: int) -> None:
        """Plays.

        :param build: keyed stream -> stream of (start, end, result); late elements on `LATE`.
        :param arrivals: in the order of arrival.
        :param window_ms: size of the windows, for the grid.
        """
        self.arrivals = arrivals
        self.window_ms = window_ms
        self.fired: list[list[tuple[int, int, Any]]] = []
        self.late: list[bool] = []
        harness = KeyedOneInputStreamOperatorTestHarness(
            build, lambda value: "all", side_outputs=[LATE]
        )
        for arrival in arrivals:
            if arrival.value is None:
                harness.process_watermark(arrival.time)
            else:
                harness.process_element(arrival.value, arrival.time)
            self.fired.append(harness.take_output_values())
            late: list[StreamRecord] = harness.get_side_output(LATE)
            self.late.append(bool(late))
            late.clear()
        harness.close()

    def results(self) -> list[tuple[int, int, Any]]:
        """Everything that fired, in order."""
        return [each for step in self.fired for each in step]

    def _repr_svg_(self) -> str:
        row, left, top, width = 26, 30, 44, 720
        first = min(a.time for a in self.arrivals) // self.window_ms * self.window_ms
        last = (max(a.time for a in self.arrivals) // self.window_ms + 1) * self.window_ms
        height = top + row * len(self.arrivals) + 34

        def x(time: float) -> float:
            return left + (time - first) * width / (last - first)

        def y(step: float) -> float:
            return top + row * step + row / 2

        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 190}"'
            f' height="{height}" font-family="sans-serif" font-size="12">'
        ]
        for number, start in enumerate(range(first, last, self.window_ms)):
            shade = "#f4f5f7" if number % 2 else "#e9ebef"
            wide = x(start + self.window_ms) - x(start)
            parts.append(
                f'<rect x="{x(start):.0f}" y="{top - 6}" width="{wide:.0f}"'
                f' height="{row * len(self.arrivals) + 12}" fill="{shade}"/>'
                f'<text x="{x(start):.0f}" y="{top - 14}" fill="#555">{start / 1000:g} s</text>'
            )
        watermark: int | None = None
        path: list[str] = []
        for step, arrival in enumerate(self.arrivals):
            if arrival.value is None:
                if watermark is not None:
                    path.append(f"L{x(max(watermark, first)):.0f},{y(step):.0f}")
                watermark = arrival.time
                path.append(f"{'L' if path else 'M'}{x(watermark):.0f},{y(step):.0f}")
        if watermark is not None:
            path.append(f"L{x(watermark):.0f},{y(len(self.arrivals) - 0.5):.0f}")
            parts.append(
                f'<path d="{" ".join(path)}" fill="none" stroke="{WATERMARK}" stroke-width="2"/>'
            )
        watermark = None
        for step, arrival in enumerate(self.arrivals):
            fired = ", ".join(f"[{s / 1000:g}, {e / 1000:g}) = {r}" for s, e, r in self.fired[step])
            if arrival.value is None:
                watermark = arrival.time
                parts.append(
                    f'<circle cx="{x(arrival.time):.0f}" cy="{y(step):.0f}" r="3"'
                    f' fill="{WATERMARK}"/>'
                )
            else:
                behind = watermark is not None and arrival.time <= watermark
                colour = TOO_LATE if self.late[step] else CORRECTS if fired else ON_TIME
                parts.append(
                    f'<circle cx="{x(arrival.time):.0f}" cy="{y(step):.0f}" r="10" fill="{colour}"'
                    f' stroke="#333" stroke-width="{2 if behind else 0}"/>'
                    f'<text x="{x(arrival.time):.0f}" y="{y(step) + 4:.0f}" text-anchor="middle"'
                    f' fill="white">{escape(str(arrival.value))}</text>'
                )
            if fired:
                parts.append(
                    f'<text x="{left + width + 8}" y="{y(step) + 4:.0f}">{escape(fired)}</text>'
                )
        legend = [
            (ON_TIME, "in its window"),
            (CORRECTS, "fires its window again"),
            (TOO_LATE, "too late"),
            (WATERMARK, "watermark"),
        ]
        for number, (colour, text) in enumerate(legend):
            at = left + 170 * number
            parts.append(
                f'<circle cx="{at + 6}" cy="{height - 12}" r="5" fill="{colour}"/>'
                f'<text x="{at + 16}" y="{height - 8}" fill="#555">{text}</text>'
            )
        parts.append("</svg>")
        return "".join(parts)
