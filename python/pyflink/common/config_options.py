"""Typed descriptions of settings."""

from __future__ import annotations

from types import GenericAlias

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["ConfigOption", "ConfigOptions"]


class ConfigOption:
    """A setting's name, type and default."""

    __class_getitem__: Any = classmethod(GenericAlias)

    def __init__(self, key: str, value_type: type = str, default: Any = None) -> None:
        self._key = key
        self._type = value_type
        self._default = default

    def key(self) -> str:
        """The setting's name."""
        return self._key

    def default_value(self) -> Any:
        """Its default, or None."""
        return self._default

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConfigOption) and (self._key, self._default) == (
            other._key,
            other._default,
        )

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"Key: '{self._key}' , default: {self._default}"


class ConfigOptions:
    """Makes :class:`ConfigOption`: ``ConfigOptions.key("k").int_type().default_value(1)``."""

    def __init__(self, j_config_options: Any = None) -> None:
        self._j_config_options = j_config_options

    @staticmethod
    def key(key: str) -> ConfigOptions.OptionBuilder:
        """Starts with the name."""
        return ConfigOptions.OptionBuilder(key)

    class OptionBuilder:
        """Second step: the type."""

        def __init__(self, key: str) -> None:
            self._key = key

        def boolean_type(self) -> ConfigOptions.TypedConfigOptionBuilder:
            """True or false."""
            return ConfigOptions.TypedConfigOptionBuilder(self._key, bool)

        def int_type(self) -> ConfigOptions.TypedConfigOptionBuilder:
            """An integer."""
            return ConfigOptions.TypedConfigOptionBuilder(self._key, int)

        def long_type(self) -> ConfigOptions.TypedConfigOptionBuilder:
            """A 64-bit integer."""
            return ConfigOptions.TypedConfigOptionBuilder(self._key, int)

        def float_type(self) -> ConfigOptions.TypedConfigOptionBuilder:
            """A number."""
            return ConfigOptions.TypedConfigOptionBuilder(self._key, float)

        def double_type(self) -> ConfigOptions.TypedConfigOptionBuilder:
            """A number."""
            return ConfigOptions.TypedConfigOptionBuilder(self._key, float)

        def string_type(self) -> ConfigOptions.TypedConfigOptionBuilder:
            """Text."""
            return ConfigOptions.TypedConfigOptionBuilder(self._key, str)

    class TypedConfigOptionBuilder:
        """Last step: the default."""

        __class_getitem__: Any = classmethod(GenericAlias)

        def __init__(self, key: str, value_type: type) -> None:
            self._key = key
            self._type = value_type

        def default_value(self, value: Any) -> ConfigOption:
            """The option with this default."""
            return ConfigOption(self._key, self._type, value)

        def no_default_value(self) -> ConfigOption:
            """The option without a default."""
            return ConfigOption(self._key, self._type)
