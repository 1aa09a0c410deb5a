"""Middleware for FastAPI (any ASGI application): tells Kafka about each request.

    app.add_middleware(RequestReporter, brokers="localhost:9092")

A request must not wait for Kafka, nor fail because of it: records go into the client's buffer, and
when that is full, because the brokers are away, they are dropped and counted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from confluent_kafka import Producer

TOPIC = "http-requests"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]


class RequestReporter:
    """One JSON object a request: time, endpoint, status, milliseconds.

    The endpoint is the route, `GET /orders/{order_id}`, not the address: there are as many
    addresses as orders, and each would be a key with state of its own.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        brokers: str,
        topic: str = TOPIC,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._topic = topic
        self._clock = clock
        self.dropped = 0
        self._producer = Producer(
            {"bootstrap.servers": brokers, "linger.ms": 5, "queue.buffering.max.messages": 10_000}
        )

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":  # the application's start and end, web sockets
            await self._app(scope, receive, send)
            return
        status = 500  # what the client gets when the application raises

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, note_status)
        finally:
            self._report(scope, status, (time.perf_counter() - began) * 1000)

    def _report(self, scope: Scope, status: int, milliseconds: float) -> None:
        route = getattr(scope.get("route"), "path", None)
        endpoint = f"{scope['method']} {route or '(no route)'}"
        record = {
            "time": round(self._clock() * 1000),
            "endpoint": endpoint,
            "status": status,
            "ms": round(milliseconds, 3),
        }
        try:
            # By endpoint, so that the requests of one are in one partition, in their order.
            self._producer.produce(self._topic, json.dumps(record), key=endpoint)
        except BufferError:
            self.dropped += 1
        self._producer.poll(0)

    def flush(self, seconds: float = 2.0) -> int:
        """Waits until the brokers have everything; the number of records they do not have."""
        return int(self._producer.flush(seconds))
