"""What the RocksDB state backend is told: Flink's settings, and those of its backend object."""

from __future__ import annotations

from pyflink.common.configuration import _text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyflink.datastream.state_backend import EmbeddedRocksDBStateBackend

PREFIX = "state.backend.rocksdb."

_WITH_EFFECT = {
    *(
        PREFIX + name
        for name in (
            "block.blocksize",
            "block.cache-size",
            "block.metadata-blocksize",
            "bloom-filter.bits-per-key",
            "compaction.level.max-size-level-base",
            "compaction.level.target-file-size-base",
            "compaction.level.use-dynamic-size",
            "compaction.style",
            "compression.per.level",
            "files.open",
            "localdir",
            "log.dir",
            "log.level",
            "memory.fixed-per-slot",
            "memory.fixed-per-tm",
            "memory.high-prio-pool-ratio",
            "memory.managed",
            "memory.partitioned-index-filters",
            "memory.write-buffer-ratio",
            "predefined-options",
            "thread.num",
            "timer-service.factory",
            "use-bloom-filter",
            "write-batch-size",
            "writebuffer.count",
            "writebuffer.number-to-merge",
            "writebuffer.size",
        )
    ),
    "execution.checkpointing.incremental",
    "state.backend.incremental",
    "taskmanager.memory.managed.size",
}
"""Settings that the engine reads (cpp/state/rocksdb/options.cc)."""

_ACCEPTED = {
    PREFIX + name
    for name in (
        "bloom-filter.block-based-mode",
        "checkpoint.transfer.thread.num",
        "compaction.filter.periodic-compaction-time",
        "compaction.filter.query-time-after-num-entries",
        "incremental-restore-async-compact-after-rescale",
        "log.file-num",
        "log.max-file-size",
        "options-factory",
        "rescaling.use-delete-files-in-range",
        "restore-overlap-fraction-threshold",
        "timer-service.cache-size",
        "use-ingest-db-restore-mode",
    )
}
"""Flink's other settings of RocksDB: not needed here, or decided by the engine."""

KNOWN = _WITH_EFFECT | _ACCEPTED


def job_settings(
    backend: EmbeddedRocksDBStateBackend, settings: dict[str, Any], slots: int
) -> dict[str, str]:
    """The engine's settings: what the backend object says wins over `settings`."""
    from pyflink.datastream.checkpoint_storage import local_path
    from pyflink.datastream.state_backend import PredefinedOptions

    out = {key: _text(value) for key, value in settings.items() if key in _WITH_EFFECT}
    out["slots"] = str(max(slots, 1))
    localdir = PREFIX + "localdir"
    if backend._paths:
        out[localdir] = ",".join(local_path(path) for path in backend._paths)
    elif out.get(localdir, "").startswith("file:"):
        out[localdir] = local_path(out[localdir])
    if backend._predefined is not PredefinedOptions.DEFAULT:
        out[PREFIX + "predefined-options"] = backend._predefined.name
    if backend._incremental is not None:
        for key in ("execution.checkpointing.incremental", "state.backend.incremental"):
            out[key] = "true" if backend._incremental else "false"
    return out
