"""Numbers that several modules share."""

MAX_LONG_VALUE = 0x7FFFFFFFFFFFFFFF
"""Largest 64-bit integer: the watermark at the end of a bounded input."""

MIN_LONG_VALUE = -MAX_LONG_VALUE - 1
"""Smallest 64-bit integer: the watermark before the first one."""

DEFAULT_OUTPUT_TAG = ""
"""Tag of the main output."""
