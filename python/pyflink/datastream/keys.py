"""Keys of types of your own.

The key of a record decides which subtask and which state it meets, also after a restart. So it
needs bytes that are the same in every process; pickle does not give them. None, bool, int, float,
str, bytes, Decimal, dates and times, enums, UUIDs, frozen dataclasses, Rows, and tuples and
frozensets of these have such bytes by themselves.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def register_key_encoder(key_class: type, encoder: Callable[[Any], Any]) -> None:
    """Lets instances of a class (and of its subclasses without an encoder) be keys.

    Register before the job starts, in every process that restores its state. Beyond upstream, which
    pickles such keys in process mode.

    :param key_class: the class; not one that has an encoding by itself.
    :param encoder: takes an instance and returns what makes two keys equal, as a plain value or a
        tuple of plain values: ``lambda point: (point.x, point.y)``. Keys that are equal must give
        equal values. A later call for the same class replaces it.
    :raises TypeError: if `key_class` is no class, is a built-in one, or `encoder` cannot be called.
    """
    if not isinstance(key_class, type):
        raise TypeError(f"register_key_encoder() takes a class, got {key_class!r}")
    if issubclass(key_class, (type(None), int, float, str, bytes, tuple)):
        raise TypeError(f"{key_class.__name__} has a key encoding of its own; it stays")
    if not callable(encoder):
        raise TypeError(f"the encoder of {key_class.__name__} cannot be called: {encoder!r}")
    from pyflink._native import register_key_encoder as register

    register(key_class, encoder)
