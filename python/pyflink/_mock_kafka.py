"""An embedded Kafka broker (librdkafka's mock cluster) for the demo and quick tests.

It proves nothing about real brokers: a partition keeps its newest 5 MB in memory, and everything
ends with the process. From a shell, until its standard input closes or Ctrl-C; the first line of
output is the brokers' address:

    python -m pyflink._mock_kafka --topic test-logs:4
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from pathlib import Path
from types import TracebackType

__all__ = ["MockKafka"]


def _library() -> ctypes.CDLL:
    path = Path(__file__).parent / "libflott_kafka.so"
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise RuntimeError(
            f"the Kafka connector cannot be loaded ({error}); build it with `make setup` or install"
            " the flott wheel"
        ) from None
    library.flott_mock_cluster_start.restype = ctypes.c_void_p
    library.flott_mock_cluster_start.argtypes = [ctypes.c_int]
    library.flott_mock_cluster_bootstrap_servers.restype = ctypes.c_char_p
    library.flott_mock_cluster_bootstrap_servers.argtypes = [ctypes.c_void_p]
    library.flott_mock_cluster_create_topic.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int,
    ]
    library.flott_mock_cluster_set_broker_up.argtypes = [
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_int,
    ]
    library.flott_mock_cluster_stop.argtypes = [ctypes.c_void_p]
    return library


class MockKafka:
    """Brokers in this process, until :meth:`close` or the end of the ``with`` statement.

    :param brokers: how many.
    :raises RuntimeError: when the Kafka plugin is missing or the brokers cannot start.
    """

    def __init__(self, brokers: int = 1) -> None:
        self._library = _library()
        self._cluster = self._library.flott_mock_cluster_start(brokers)
        if not self._cluster:
            raise RuntimeError("the embedded Kafka brokers could not be started")

    @property
    def bootstrap_servers(self) -> str:
        """The brokers' addresses, ``127.0.0.1:40123,...``."""
        return str(self._library.flott_mock_cluster_bootstrap_servers(self._open()).decode())

    def create_topic(self, topic: str, partitions: int = 1) -> None:
        """Makes a topic.

        :raises RuntimeError: when the brokers refuse, for instance because it exists.
        """
        if (
            self._library.flott_mock_cluster_create_topic(self._open(), topic.encode(), partitions)
            != 0
        ):
            raise RuntimeError(
                f"the embedded Kafka brokers refused topic '{topic}' with {partitions} partitions"
            )

    def set_broker_up(self, broker: int, up: bool) -> None:
        """Stops or starts a broker (1, 2, ...): connections break, data stays."""
        if self._library.flott_mock_cluster_set_broker_up(self._open(), broker, int(up)) != 0:
            raise RuntimeError(f"there is no embedded Kafka broker {broker}")

    def close(self) -> None:
        """Ends the brokers; their data is gone."""
        cluster, self._cluster = self._cluster, None
        if cluster:
            self._library.flott_mock_cluster_stop(cluster)

    def _open(self) -> int:
        if not self._cluster:
            raise RuntimeError("the embedded Kafka brokers are closed")
        return int(self._cluster)

    def __enter__(self) -> MockKafka:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def main() -> int:
    """Runs brokers in a process of their own."""
    import argparse

    parser = argparse.ArgumentParser(description="Runs an embedded Kafka broker.")
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument(
        "--topic", action="append", default=[], help="name:partitions; may be repeated"
    )
    arguments = parser.parse_args()
    with MockKafka(arguments.brokers) as kafka:
        for topic in arguments.topic:
            name, _, partitions = topic.partition(":")
            kafka.create_topic(name, int(partitions or 1))
        print(kafka.bootstrap_servers, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
