"""Streaming or batch."""

from __future__ import annotations

from enum import Enum

__all__ = ["RuntimeExecutionMode"]


class RuntimeExecutionMode(Enum):
    """How a job runs: every intermediate result, or only the final ones of a bounded input.

    In BATCH mode the input of keyed functions and windows is sorted: one key comes after the other,
    and the records of a key in the order of their timestamps. While they come the watermark is the
    lowest; when a key has ended its timers fire in their order, those of the clock too, and its
    state is dropped. What is broadcast is read before everything else. There are no checkpoints.
    What does not fit into ``execution.sorted-inputs.memory`` (128 MiB for each subtask) goes to
    temporary files; ``execution.sorted-inputs.enabled: false`` switches sorting off.

    AUTOMATIC is BATCH when all sources are bounded.
    """

    STREAMING = 0
    BATCH = 1
    AUTOMATIC = 2
