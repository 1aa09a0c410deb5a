"""A proxy between the sink and a real Elasticsearch that follows a script, one entry a request."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit


class ElasticProxy:
    """Forwards everything; bulk requests as the script says, and plainly when it is used up.

    Entries of the script: `ok`; a status such as `429`, answered without forwarding; `partial`
    (every second action is answered 429 and not forwarded); `timeout` (no answer in time, not
    forwarded); `late` (forwarded, but no answer in time); `reset` (connection reset, nothing sent);
    `reset-after` (forwarded, then reset); `slow` (forwarded after 300 ms).
    """

    def __init__(self, url: str, script: Sequence[str], hang_s: float = 1.5) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 80)
        self._script = list(script)
        self._hang_s = hang_s
        self._lock = threading.Lock()
        self.played: list[str] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                pass

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with contextlib.suppress(OSError):  # a client that gave up
                    proxy._answer(self, body)

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _serve

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> ElasticProxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def done(self) -> bool:
        """Whether the whole script was played."""
        return not self._script

    def _next(self) -> str:
        with self._lock:
            step = self._script.pop(0) if self._script else "ok"
            self.played.append(step)
            return step

    def _answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        step = self._next() if "_bulk" in handler.path else "ok"
        if step.isdigit():
            self._send(handler, int(step), json.dumps({"error": {"reason": "scripted"}}).encode())
        elif step == "partial":
            self._partial(handler, body)
        elif step in ("timeout", "late"):
            if step == "late":
                self._forward(handler, body)
            time.sleep(self._hang_s)
            self._drop(handler, reset=False)
        elif step in ("reset", "reset-after"):
            if step == "reset-after":
                self._forward(handler, body)
            self._drop(handler, reset=True)
        else:
            if step == "slow":
                time.sleep(0.3)
            self._send(handler, *self._forward(handler, body))

    def _forward(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(*self._target, timeout=30)
        headers = {"Content-Type": handler.headers.get("Content-Type", "application/json")}
        try:
            connection.request(handler.command, handler.path, body or None, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _partial(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        actions: list[list[bytes]] = []
        lines = iter(body.split(b"\n"))
        for line in lines:
            if line:
                actions.append([line] if b'"delete"' in line[:12] else [line, next(lines)])
        if len(actions) == 1:  # nothing to refuse: the script waits for a larger request
            with self._lock:
                self._script.insert(0, "partial")
            self._send(handler, *self._forward(handler, body))
            return
        forwarded = [action for i, action in enumerate(actions) if i % 2 == 0]
        sent = b"".join(line + b"\n" for action in forwarded for line in action)
        _, answer = self._forward(handler, sent)
        taken = iter(json.loads(answer)["items"])
        items = []
        for i, action in enumerate(actions):
            if i % 2 == 0:
                items.append(next(taken))
                continue
            kind, where = next(iter(json.loads(action[0]).items()))
            reason = {"type": "es_rejected_execution_exception", "reason": "scripted"}
            items.append({kind: {**where, "status": 429, "error": reason}})
        answer = json.dumps({"took": 1, "errors": True, "items": items}).encode()
        self._send(handler, 200, answer)

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    @staticmethod
    def _drop(handler: BaseHTTPRequestHandler, *, reset: bool) -> None:
        handler.close_connection = True
        if reset:
            linger = struct.pack("ii", 1, 0)  # close sends RST
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.connection.close()
