"""Tests of streaming programs: scripted sources, a clock moved by hand, harnesses, fixtures.

Everything here runs on the operators that run in production, on the caller's thread and without
waiting. Names are loaded when first used. See docs/testing.md.
"""

from __future__ import annotations

from pyflink._lazy import lazy_exports

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyflink.testing.clock import FakeClock
    from pyflink.testing.elements import StreamRecord, Watermark, WatermarkStatus
    from pyflink.testing.environment import TestStreamEnvironment, collect
    from pyflink.testing.harness import (
        BroadcastOperatorTestHarness,
        HarnessSnapshot,
        KeyedBroadcastOperatorTestHarness,
        KeyedOneInputStreamOperatorTestHarness,
        KeyedTwoInputStreamOperatorTestHarness,
        OneInputStreamOperatorTestHarness,
        ProcessFunctionTestHarnesses,
        TwoInputStreamOperatorTestHarness,
    )
    from pyflink.testing.scripted_source import ScriptedSource

__all__ = [
    "BroadcastOperatorTestHarness",
    "FakeClock",
    "HarnessSnapshot",
    "KeyedBroadcastOperatorTestHarness",
    "KeyedOneInputStreamOperatorTestHarness",
    "KeyedTwoInputStreamOperatorTestHarness",
    "OneInputStreamOperatorTestHarness",
    "ProcessFunctionTestHarnesses",
    "ScriptedSource",
    "StreamRecord",
    "TestStreamEnvironment",
    "TwoInputStreamOperatorTestHarness",
    "Watermark",
    "WatermarkStatus",
    "collect",
]

__getattr__, __dir__, _ = lazy_exports(
    __name__,
    {
        "pyflink.testing.clock": "FakeClock",
        "pyflink.testing.elements": "StreamRecord Watermark WatermarkStatus",
        "pyflink.testing.environment": "TestStreamEnvironment collect",
        "pyflink.testing.harness": (
            "BroadcastOperatorTestHarness HarnessSnapshot KeyedBroadcastOperatorTestHarness"
            " KeyedOneInputStreamOperatorTestHarness KeyedTwoInputStreamOperatorTestHarness"
            " OneInputStreamOperatorTestHarness ProcessFunctionTestHarnesses"
            " TwoInputStreamOperatorTestHarness"
        ),
        "pyflink.testing.scripted_source": "ScriptedSource",
    },
)
