"""Settings by name."""

from __future__ import annotations

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


__all__ = ["Configuration"]


def _text(value: Any) -> str:
    """A value in the spelling of configuration files."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return value if isinstance(value, str) else str(value)


class Configuration:
    """Settings by name.

    Values keep the type they were set with and convert when read as another.
    """

    def __init__(self, other: Configuration | None = None, j_configuration: Any = None) -> None:
        self._values: dict[str, Any] = dict(other._values) if other is not None else {}

    def get_string(self, key: str, default_value: str) -> str:
        """A setting as text."""
        value = self._values.get(key)
        return default_value if value is None else _text(value)

    def set_string(self, key: str, value: str) -> Configuration:
        """Sets text."""
        self._values[key] = value
        return self

    @staticmethod
    def parse_list_value(value: str, standard_yaml: bool = True) -> list[str]:
        """Items of a list setting, written ``a;b`` or, as YAML, ``[a, b]``."""
        if not value:
            return []
        text = value.strip()
        if standard_yaml and text.startswith("[") and text.endswith("]"):
            return [item.strip().strip("'\"") for item in text[1:-1].split(",") if item.strip()]
        if standard_yaml and text.startswith("- "):
            return [
                line.strip()[2:].strip().strip("'\"") for line in text.splitlines() if line.strip()
            ]
        return value.split(";")

    def get_integer(self, key: str, default_value: int) -> int:
        """A setting as integer.

        :raises ValueError: when it is no integer.
        """
        value = self._values.get(key)
        return default_value if value is None else self._convert(key, value, int)

    def set_integer(self, key: str, value: int) -> Configuration:
        """Sets an integer."""
        self._values[key] = int(value)
        return self

    def get_boolean(self, key: str, default_value: bool) -> bool:
        """A setting as boolean.

        :raises ValueError: when it is neither true nor false.
        """
        value = self._values.get(key)
        if value is None or isinstance(value, bool):
            return default_value if value is None else value
        text = str(value).lower()
        if text not in ("true", "false"):
            raise ValueError(
                f"Could not parse value {value!r} for key {key!r}: expected true or false"
            )
        return text == "true"

    def set_boolean(self, key: str, value: bool) -> Configuration:
        """Sets a boolean."""
        self._values[key] = bool(value)
        return self

    def get_float(self, key: str, default_value: float) -> float:
        """A setting as number.

        :raises ValueError: when it is no number.
        """
        value = self._values.get(key)
        return float(default_value) if value is None else self._convert(key, value, float)

    def set_float(self, key: str, value: float) -> Configuration:
        """Sets a number."""
        self._values[key] = float(value)
        return self

    def get_bytearray(self, key: str, default_value: bytearray) -> bytearray:
        """A setting as bytes."""
        value = self._values.get(key)
        if value is None:
            return bytearray(default_value)
        if not isinstance(value, (bytes, bytearray)):
            raise ValueError(
                f"Configuration cannot read the value of key {key!r} as bytes: {value!r}"
            )
        return bytearray(value)

    def set_bytearray(self, key: str, value: bytearray) -> Configuration:
        """Sets bytes."""
        self._values[key] = bytes(value)
        return self

    def key_set(self) -> set[str]:
        """Names of all settings."""
        return set(self._values)

    def add_all_to_dict(self, target_dict: dict[str, Any]) -> None:
        """Copies all settings into a dict; values keep their types."""
        target_dict.update(self._values)

    def add_all(self, other: Configuration, prefix: str | None = None) -> Configuration:
        """Copies all settings of `other`, each name after `prefix`."""
        for key, value in other._values.items():
            self._values[(prefix or "") + key] = value
        return self

    def contains_key(self, key: str) -> bool:
        """Whether a setting is there."""
        return key in self._values

    def to_dict(self) -> dict[str, str]:
        """All settings as text."""
        return {key: _text(value) for key, value in self._values.items()}

    def remove_config(self, key: str) -> bool:
        """Forgets a setting; False when it was not there."""
        return self._values.pop(key, None) is not None

    @staticmethod
    def _convert(key: str, value: Any, to: type) -> Any:
        try:
            return to(value)
        except (TypeError, ValueError):
            raise ValueError(
                f"Could not parse value {value!r} for key {key!r} as {to.__name__}"
            ) from None

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Configuration:
        return Configuration(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Configuration) and self._values == other._values

    def __hash__(self) -> int:
        return hash(frozenset(self.to_dict().items()))

    def __str__(self) -> str:
        return "{" + ", ".join(f"{key}={_text(value)}" for key, value in self._values.items()) + "}"

    def __repr__(self) -> str:
        return f"Configuration({self})"


_UNITS_MS = {
    "": 1, "ms": 1, "milli": 1, "millis": 1, "millisecond": 1, "milliseconds": 1,
    "s": 1000, "sec": 1000, "secs": 1000, "second": 1000, "seconds": 1000,
    "m": 60_000, "min": 60_000, "mins": 60_000, "minute": 60_000, "minutes": 60_000,
    "h": 3_600_000, "hour": 3_600_000, "hours": 3_600_000,
    "d": 86_400_000, "day": 86_400_000, "days": 86_400_000,
}  # fmt: skip


def parse_duration_ms(key: str, value: Any) -> int:
    """Milliseconds of a duration setting such as ``1 min``, ``200ms`` or a number of milliseconds.

    :raises ValueError: naming the setting.
    """
    text = _text(value).strip().lower()
    digits = len(text) - len(text.lstrip("0123456789"))
    unit = text[digits:].strip()
    if digits == 0 or unit not in _UNITS_MS:
        raise ValueError(
            f"Could not parse value {value!r} for key {key!r} as a duration; write 10 s, 200 ms,"
            " 1 min"
        )
    return int(text[:digits]) * _UNITS_MS[unit]


_QUOTES = "'\"`"


def split_quoted(key: str, text: str, delimiter: str) -> list[str]:
    """The parts of a setting; a delimiter between quotes is none of it.

    Quotes open at the beginning of a part, or after ``:`` or ``,`` in it; they are taken off a part
    that is quoted as a whole. A quote is doubled between its like. Empty parts are left out.

    :raises ValueError: naming the setting, when a quote is not closed.
    """
    parts: list[str] = []
    part = quote = ""
    at = 0
    while at < len(text):
        c = text[at]
        if quote:
            if c == quote and text[at + 1 : at + 2] == quote:
                part += c
                at += 1
            elif c == quote:
                quote = ""
        elif c in _QUOTES and (not part.strip() or part.rstrip()[-1] in ":,"):
            quote = c
        elif c == delimiter:
            parts.append(part)
            part = ""
            at += 1
            continue
        part += c
        at += 1
    if quote:
        raise ValueError(f"Could not parse value {text!r} for key {key!r}: a {quote} is not closed")
    parts.append(part)
    return [_unquoted(part.strip()) for part in parts if part.strip()]


def _unquoted(part: str) -> str:
    quote = part[0]
    if len(part) > 1 and quote in _QUOTES and part[-1] == quote:
        inner = part[1:-1]
        if quote not in inner.replace(2 * quote, ""):
            return inner.replace(2 * quote, quote)
    return part


def quoted(text: str) -> str:
    """The text as a part that :func:`split_quoted` leaves whole."""
    return "'" + text.replace("'", "''") + "'"


def parse_map(key: str, value: Any) -> dict[str, str]:
    """``k1:v1,k2:'v,2'``, also between ``{}`` as in YAML.

    :raises ValueError: naming the setting.
    """
    text = _text(value).strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    pairs = {}
    for item in split_quoted(key, text, ","):
        name, colon, rest = item.partition(":")
        if item[0] in _QUOTES:  # the name is quoted: the colon comes after it
            end = item.find(item[0], 1)
            name, colon, rest = item[1:end], item[end + 1 : end + 2], item[end + 2 :]
        if colon != ":" or not name.strip():
            raise ValueError(
                f"Could not parse value {_text(value)!r} for key {key!r}: {item!r} is no pair;"
                " write name:value,other:'value, with a comma'"
            )
        rest = rest.strip()
        pairs[name.strip()] = _unquoted(rest) if rest else ""
    return pairs
