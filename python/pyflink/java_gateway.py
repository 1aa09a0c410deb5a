"""Upstream's way to its Java side, for scripts that import it."""

from __future__ import annotations

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

__all__ = ["get_gateway", "is_launch_gateway_disabled"]


def is_launch_gateway_disabled() -> bool:
    """True: no gateway is ever launched."""
    return True


def get_gateway() -> Any:
    """Not available.

    :raises NotSupportedError: always.
    """
    _refuse()


def _refuse() -> NoReturn:
    from pyflink._not_yet import not_yet

    raise not_yet("pyflink.java_gateway")
