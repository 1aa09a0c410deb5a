"""Type parameters of upstream's generic classes, without importing typing at run time.

For type checkers ``Generic`` is typing's, and a parameter that is left out is Any. At run time it
is an empty base: ``ProcessWindowFunction[str, int, str, TimeWindow]`` works by
``__class_getitem__``.
"""

from __future__ import annotations

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from typing import Generic as Generic

    from typing_extensions import TypeVar

    IN = TypeVar("IN", default=Any)
    OUT = TypeVar("OUT", default=Any)
    KEY = TypeVar("KEY", default=Any)
    W = TypeVar("W", default=Any)
    W2 = TypeVar("W2", default=Any)  # of classes within generic ones
    T = TypeVar("T", default=Any)
    K = TypeVar("K", default=Any)
    V = TypeVar("V", default=Any)
else:
    IN = OUT = KEY = W = W2 = T = K = V = None

    class Generic:
        """See the module."""

        __slots__ = ()

        def __class_getitem__(cls, parameters: object) -> type[Generic]:
            return cls


__all__ = ["IN", "KEY", "OUT", "W2", "Generic", "K", "T", "V", "W"]
