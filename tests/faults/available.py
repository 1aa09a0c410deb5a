"""What the engine under test offers: plans are drawn from that."""

from __future__ import annotations

from typing import NamedTuple


class Available(NamedTuple):
    """See tests/faults/plan.py, Choices."""

    backends: tuple[str, ...]
    sinks: tuple[tuple[str, ...], ...]
    kinds: tuple[str, ...]


def available() -> Available:
    from pyflink.datastream.connectors import DeliveryGuarantee
    from pyflink.datastream.connectors.kafka import KafkaSink

    sinks: tuple[tuple[str, ...], ...] = (("kafka",),)
    try:
        KafkaSink.builder().set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
    except Exception:  # said to come later
        pass
    else:
        sinks = (("kafka-once",), ("kafka",), ("kafka-once", "kafka"))
    return Available(("hashmap",), sinks, ("record", "later", "point", "point"))
