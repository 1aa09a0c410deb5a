"""A small web shop that can be made to misbehave.

    BROKERS=localhost:9092 uvicorn shop_api:app

`POST /trouble {"failing": 0.5, "slow_ms": 300}` makes half of the orders fail and pages slow.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from request_reporter import RequestReporter


class Trouble(BaseModel):
    """How the shop misbehaves."""

    failing: float = 0.0
    slow_ms: float = 0.0


def make_app(brokers: str) -> FastAPI:
    """The shop, reporting to these brokers."""
    reporter: list[RequestReporter] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        for each in reporter:
            await asyncio.to_thread(each.flush)

    app = FastAPI(lifespan=lifespan)
    app.state.trouble = Trouble()
    chance = random.Random(7)

    def reporting(inner: FastAPI) -> RequestReporter:
        made = RequestReporter(inner, brokers)
        reporter.append(made)
        return made

    app.add_middleware(reporting)

    @app.get("/products")
    async def products() -> list[str]:
        await asyncio.sleep(app.state.trouble.slow_ms / 1000)
        return ["lamp", "chair"]

    @app.get("/orders/{order_id}")
    async def order(order_id: int) -> dict[str, int]:
        if chance.random() < app.state.trouble.failing:
            raise HTTPException(503, "the warehouse does not answer")
        return {"order": order_id}

    @app.post("/trouble")
    async def trouble(wanted: Trouble) -> Trouble:
        app.state.trouble = wanted
        return wanted

    return app


def __getattr__(name: str) -> FastAPI:
    """`app` is made when a server asks for it, not when a test imports this module."""
    if name == "app":
        return make_app(os.environ.get("BROKERS", "localhost:9092"))
    raise AttributeError(name)
