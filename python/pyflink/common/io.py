"""Input formats."""

from __future__ import annotations

from typing import Any

from pyflink.common.utils import JavaObjectWrapper

__all__ = ["InputFormat"]


class InputFormat(JavaObjectWrapper):
    """Base of upstream's input formats for :meth:`StreamExecutionEnvironment.create_input`."""

    def __init__(self, j_input_format: Any) -> None:
        super().__init__(j_input_format)
