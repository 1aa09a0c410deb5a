"""Input formats."""

from __future__ import annotations

from pyflink.common.utils import JavaObjectWrapper

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["InputFormat"]


class InputFormat(JavaObjectWrapper):
    """Base of upstream's input formats for :meth:`StreamExecutionEnvironment.create_input`."""

    def __init__(self, j_input_format: Any) -> None:
        super().__init__(j_input_format)
