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

_KEPT = {
    PREFIX + name: why
    for name, why in (
        ("bloom-filter.block-based-mode", "RocksDB has only full filters by now"),
        ("checkpoint.transfer.thread.num", "one thread of the job writes its checkpoints"),
        (
            "compaction.filter.periodic-compaction-time",
            "files are not compacted by their age",
        ),
        (
            "compaction.filter.query-time-after-num-entries",
            "StateTtlConfig.cleanup_in_rocksdb_compact_filter() says it for each state",
        ),
        ("incremental-restore-async-compact-after-rescale", "RocksDB compacts when it has to"),
        ("log.file-num", "RocksDB keeps four files of 25 MB"),
        ("log.max-file-size", "RocksDB keeps four files of 25 MB"),
        ("options-factory", "a Java class cannot be run; use the single settings"),
        ("rescaling.use-delete-files-in-range", "a restore decides by itself"),
        ("restore-overlap-fraction-threshold", "a restore decides by itself"),
        ("timer-service.cache-size", "timers are in memory"),
        ("use-ingest-db-restore-mode", "a restore decides by itself"),
    )
}
"""Flink's other settings of RocksDB, and why they have no effect here."""

KNOWN = _WITH_EFFECT | set(_KEPT)


def say_what_is_kept(key: str) -> None:
    """Says once that a setting of RocksDB has no effect, if it has none."""
    why = _KEPT.get(key)
    if why is not None:
        from pyflink.datastream._logging import kept_only

        kept_only(f"the setting {key!r}", why)


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
