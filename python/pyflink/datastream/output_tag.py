"""Names of side outputs."""

from __future__ import annotations

from pyflink.common.typeinfo import RowTypeInfo, TypeInformation, Types

__all__ = ["OutputTag"]


class OutputTag:
    """Names a side output and says what type its records have.

    :param tag_id: the name; not empty.
    :param type_info: type of the records; a list of types means a row of them, None any Python
        object.
    """

    def __init__(
        self, tag_id: str, type_info: TypeInformation | list[TypeInformation] | None = None
    ) -> None:
        if not tag_id or not isinstance(tag_id, str):
            raise ValueError(
                "OutputTag tag_id cannot be None or empty string, got"
                f" {tag_id!r}; give it a name: OutputTag('late', Types.STRING())"
            )
        self.tag_id = tag_id
        if type_info is None:
            self.type_info: TypeInformation = Types.PICKLED_BYTE_ARRAY()
        elif isinstance(type_info, list):
            self.type_info = RowTypeInfo(type_info)
        elif isinstance(type_info, TypeInformation):
            self.type_info = type_info
        else:
            raise TypeError(
                "OutputTag type_info must be a TypeInformation or a list of them, got"
                f" {type_info!r}"
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OutputTag) and self.tag_id == other.tag_id

    def __hash__(self) -> int:
        return hash(self.tag_id)

    def __repr__(self) -> str:
        return f"OutputTag({self.tag_id!r}, {self.type_info})"
