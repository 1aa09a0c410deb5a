"""Builds and runs small graphs on pyflink._native directly, without the public API."""

from __future__ import annotations

from typing import Any

from pyflink import _native


class Pipeline:
    """A chain of nodes; each method adds one behind the last."""

    def __init__(self, parallelism: int = 1) -> None:
        self.graph = _native.StreamGraph()
        self.parallelism = parallelism
        self.last = -1
        self.keyed = False
        self.queue = _native.CollectQueue()

    def source(self, values: list[Any], type: Any = None) -> Pipeline:
        self.last = self.graph.add("collection", "Source", params={"values": values, "type": type})
        return self

    def add(self, kind: str, partitioner: str | None = None, **options: Any) -> Pipeline:
        node_options = {
            name: options.pop(name)
            for name in ("output_type", "parallelism", "chaining", "inputs")
            if name in options
        }
        parallelism = node_options.setdefault("parallelism", self.parallelism)
        if "inputs" not in node_options:
            if partitioner is None:
                partitioner = "hash" if self.keyed else "forward"
                if not self.keyed and self.graph_parallelism != parallelism:
                    partitioner = "rebalance"
            node_options["inputs"] = [_native.Edge(self.last, partitioner)]
        self.last = self.graph.add(
            kind, kind.title(), keyed=self.keyed, params=options, **node_options
        )
        self.graph_parallelism = parallelism
        self.keyed = kind == "key_by"
        return self

    graph_parallelism = 1

    def key_by(self, function: Any, **options: Any) -> Pipeline:
        return self.add("key_by", function=function, parallelism=self.graph_parallelism, **options)

    def start(self, **options: Any) -> Any:
        return self.graph.start("test", options)

    def collect(self, **options: Any) -> list[Any]:
        """Runs the job and gives what reached its end."""
        self.add("collect", queue=self.queue, parallelism=1)
        return drain(self.start(**options), self.queue)


def drain(job: Any, queue: Any) -> list[Any]:
    out = []
    while True:
        try:
            out.append(job.next_collected(queue))
        except StopIteration:
            return out
