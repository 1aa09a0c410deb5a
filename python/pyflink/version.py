"""The version of Flott, and of the upstream API it follows."""

__version__ = "0.1.0"

FLINK_API_VERSION = "1.20"
"""The Apache Flink release whose Python API and behaviour this package follows."""
