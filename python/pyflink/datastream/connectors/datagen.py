"""Made-up rows, for demonstrations, tests and measurements.

Not part of upstream's Python API; named as its connector.
"""

from __future__ import annotations

from pyflink.common.typeinfo import RowTypeInfo, TypeInformation
from pyflink.datastream.connectors.base import Source, text

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["DataGeneratorSource"]


class DataGeneratorSource(Source):
    """Rows of made-up values.

    :param type_info: a row type; each field gets random values of its type unless `fields` says
        otherwise.
    :param rows_per_second: how fast; 10,000 by default.
    :param number_of_rows: how many; None for ever.
    :param fields: options by field, with the names of Flink's datagen connector: ``{"id": {"kind":
        "sequence", "start": 1, "end": 9}, "name": {"length": 5}, "price": {"min": 1, "max": 10},
        "org": {"values": ["a", "b"]}}``.
    :param seed: the same seed makes the same rows.
    :raises TypeError: when `type_info` is no row type.
    :raises ValueError: for a field that is not there.
    """

    def __init__(
        self,
        type_info: TypeInformation,
        rows_per_second: int = 10_000,
        number_of_rows: int | None = None,
        fields: dict[str, dict[str, Any]] | None = None,
        seed: int | None = None,
        splits: int = 1,
    ) -> None:
        if not isinstance(type_info, RowTypeInfo):
            raise TypeError(
                f"DataGeneratorSource makes rows: give it Types.ROW_NAMED(...), got {type_info!r}"
            )
        options = {"rows-per-second": str(rows_per_second), "splits": str(splits)}
        if number_of_rows is not None:
            options["number-of-rows"] = str(number_of_rows)
        if seed is not None:
            options["seed"] = str(seed)
        names = type_info.get_field_names()
        for field, settings in (fields or {}).items():
            if field not in names:
                raise ValueError(
                    f"DataGeneratorSource: there is no field {field!r}; the row has"
                    f" {', '.join(names)}"
                )
            for key, value in settings.items():
                items = value if isinstance(value, (list, tuple)) else None
                options[f"fields.{field}.{key}"] = (
                    text(value)
                    if items is None
                    else ",".join(str(v).replace(",", "\\,") for v in items)
                )
        super().__init__("datagen", options, type_info, number_of_rows is not None)
