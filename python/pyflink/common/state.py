"""Names of :mod:`pyflink.datastream.state` for scripts that look for them here."""

from __future__ import annotations

from pyflink._spellings import module_name, module_names

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = module_names(__name__)


def __getattr__(name: str) -> Any:
    return module_name(__name__, name)
