"""Lines of text from a TCP socket, as upstream's Java ``socketTextStream``."""

from __future__ import annotations

from pyflink.datastream.functions import SourceFunction

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["SocketTextStreamFunction"]


class SocketTextStreamFunction(SourceFunction):
    """Reads text from a server until it closes the connection.

    :param hostname: the server.
    :param port: its port.
    :param delimiter: what separates records; a carriage return before a line feed is dropped too.
    :param max_num_retries: how often to connect again, a second apart, when the connection cannot
        be made or ends; 0 ends the stream with the connection, -1 tries for ever.
    :raises ValueError: for a port that is none, an empty delimiter or less than -1 retries.
    """

    def __init__(
        self, hostname: str, port: int, delimiter: str = "\n", max_num_retries: int = 0
    ) -> None:
        super().__init__()
        if not 0 < port < 65536:
            raise ValueError(f"socket_text_stream: the port is out of range: {port!r}")
        if not delimiter:
            raise ValueError("socket_text_stream: the delimiter must not be empty")
        if max_num_retries < -1:
            raise ValueError(
                f"socket_text_stream: max_retry must be -1 or more, got {max_num_retries!r}"
            )
        self._address = (hostname, port)
        self._delimiter = delimiter
        self._retries = max_num_retries
        self._cancelled = False

    def run(self, ctx: Any) -> None:
        """Emits a record for each piece of text between two delimiters."""
        from time import sleep

        attempt = 0
        while not self._cancelled:
            try:
                self._read(ctx)
            except OSError as error:
                if self._retries != -1 and attempt >= self._retries:
                    raise ConnectionError(
                        f"socket_text_stream: cannot read from {self._address[0]}:"
                        f"{self._address[1]}: {error}; start the server first, or give max_retry"
                    ) from error
            else:
                if self._retries != -1 and attempt >= self._retries:
                    return
            attempt += 1
            sleep(1)

    def _read(self, ctx: Any) -> None:
        import socket

        with socket.create_connection(self._address, timeout=10) as connection:
            connection.settimeout(0.2)
            rest = b""
            delimiter = self._delimiter.encode()
            while not self._cancelled:
                try:
                    data = connection.recv(65536)
                except TimeoutError:
                    continue
                if not data:
                    break
                *records, rest = (rest + data).split(delimiter)
                for record in records:
                    ctx.collect(self._text(record))
            if rest:
                ctx.collect(self._text(rest))

    def _text(self, record: bytes) -> str:
        if self._delimiter == "\n":
            record = record.removesuffix(b"\r")
        return record.decode(errors="replace")

    def cancel(self) -> None:
        """Ends :meth:`run` within 200 ms."""
        self._cancelled = True
