"""`configure` with Flink's own names: what each sets, and what is said about the others."""

from __future__ import annotations

import logging

import pytest

from pyflink.common import Configuration, Duration, RestartStrategies, Time
from pyflink.common.restart_strategy import _ExponentialDelay
from pyflink.datastream import (
    CheckpointingMode,
    ExternalizedCheckpointRetention,
    RuntimeExecutionMode,
    StreamExecutionEnvironment,
    TimeCharacteristic,
    _logging,
    _rocksdb,
)
from pyflink.datastream import _configure as configure_module
from pyflink.datastream.checkpoint_storage import JobManagerCheckpointStorage
from pyflink.datastream.state import StateTtlConfig
from pyflink.datastream.state_backend import (
    EmbeddedRocksDBStateBackend,
    FsStateBackend,
    HashMapStateBackend,
    MemoryStateBackend,
)


def of(settings):
    configuration = Configuration()
    for key, value in settings.items():
        configuration.set_string(key, value)
    return StreamExecutionEnvironment.get_execution_environment(configuration)


CHECKPOINTS = "execution.checkpointing."

# key -> (a value, what then is read, what is read)
SETTINGS = {
    "parallelism.default": ("3", lambda e: e.get_parallelism(), 3),
    "pipeline.max-parallelism": ("64", lambda e: e.get_max_parallelism(), 64),
    "pipeline.name": ("mine", lambda e: e._job_name, "mine"),
    "pipeline.operator-chaining": ("false", lambda e: e.is_chaining_enabled(), False),
    "pipeline.operator-chaining.enabled": ("false", lambda e: e.is_chaining_enabled(), False),
    "pipeline.operator-chaining.chain-operators-with-different-max-parallelism": (
        "false",
        lambda e: e.is_chaining_of_operators_with_different_max_parallelism_enabled(),
        False,
    ),
    "pipeline.object-reuse": ("true", lambda e: e.get_config().is_object_reuse_enabled(), True),
    "pipeline.auto-watermark-interval": (
        "7 s",
        lambda e: e.get_config().get_auto_watermark_interval(),
        7000,
    ),
    "pipeline.global-job-parameters": (
        "a:1,b:'x,y','c:2':\"it's\",d:file:///x, 'e:f,g'",
        lambda e: e.get_config().get_global_job_parameters(),
        {"a": "1", "b": "x,y", "c:2": "it's", "d": "file:///x", "e": "f,g"},
    ),
    "pipeline.time-characteristic": (
        "ProcessingTime",
        lambda e: e.get_stream_time_characteristic(),
        TimeCharacteristic.ProcessingTime,
    ),
    "pipeline.closure-cleaner-level": (
        "NONE",
        lambda e: e.get_config().is_closure_cleaner_enabled(),
        False,
    ),
    "pipeline.force-kryo": ("true", lambda e: e.get_config().is_force_kryo_enabled(), True),
    "pipeline.force-avro": ("true", lambda e: e.get_config().is_force_avro_enabled(), True),
    "pipeline.generic-types": (
        "false",
        lambda e: e.get_config().has_generic_types_disabled(),
        True,
    ),
    "pipeline.auto-generate-uids": (
        "false",
        lambda e: e.get_config().has_auto_generated_uids_enabled(),
        False,
    ),
    "pipeline.auto-type-registration": (
        "false",
        lambda e: e.get_config().is_auto_type_registration_disabled(),
        True,
    ),
    "pipeline.registered-kryo-types": (
        "a.B;c.D",
        lambda e: e.get_config().get_registered_kryo_types(),
        ["a.B", "c.D"],
    ),
    "pipeline.registered-pojo-types": (
        "a.B;c.D",
        lambda e: e.get_config().get_registered_pojo_types(),
        ["a.B", "c.D"],
    ),
    "pipeline.cached-files": (
        "name:a,path:'file:///etc/hostname';name:'b,c',path:/etc/passwd,executable:false",
        lambda e: e._cached_files,
        {"a": "/etc/hostname", "b,c": "/etc/passwd"},
    ),
    "task.cancellation.interval": (
        "7 s",
        lambda e: e.get_config().get_task_cancellation_interval(),
        7000,
    ),
    "task.cancellation.timeout": (
        "7 s",
        lambda e: e.get_config().get_task_cancellation_timeout(),
        7000,
    ),
    "metrics.latency.interval": (
        "7 s",
        lambda e: e.get_config().get_latency_tracking_interval(),
        7000,
    ),
    "execution.runtime-mode": ("batch", lambda e: e._runtime_mode, RuntimeExecutionMode.BATCH),
    "execution.sorted-inputs.enabled": ("false", lambda e: e._sort_options["sort_inputs"], False),
    "execution.sorted-inputs.memory": (
        "5 mb",
        lambda e: e._sort_options["sort_memory_bytes"],
        5 * 1024 * 1024,
    ),
    "execution.buffer-timeout": ("7 s", lambda e: e.get_buffer_timeout(), 7000),
    "execution.buffer-timeout.interval": ("7 s", lambda e: e.get_buffer_timeout(), 7000),
    "execution.buffer-timeout.enabled": ("false", lambda e: e.get_buffer_timeout(), -1),
    "execution.savepoint.path": ("/a/b", lambda e: e._restore_path, "/a/b"),
    "execution.state-recovery.path": ("file:///a/b", lambda e: e._restore_path, "/a/b"),
    "execution.savepoint.ignore-unclaimed-state": (
        "true",
        lambda e: e._ignore_unclaimed_state,
        True,
    ),
    "execution.state-recovery.ignore-unclaimed-state": (
        "true",
        lambda e: e._ignore_unclaimed_state,
        True,
    ),
    CHECKPOINTS + "interval": ("7 s", lambda e: e.get_checkpoint_interval(), 7000),
    CHECKPOINTS + "timeout": (
        "7 s",
        lambda e: e.get_checkpoint_config().get_checkpoint_timeout(),
        7000,
    ),
    CHECKPOINTS + "min-pause": (
        "7 s",
        lambda e: e.get_checkpoint_config().get_min_pause_between_checkpoints(),
        7000,
    ),
    CHECKPOINTS + "max-concurrent-checkpoints": (
        "2",
        lambda e: e.get_checkpoint_config().get_max_concurrent_checkpoints(),
        2,
    ),
    CHECKPOINTS + "tolerable-failed-checkpoints": (
        "2",
        lambda e: e.get_checkpoint_config().get_tolerable_checkpoint_failure_number(),
        2,
    ),
    CHECKPOINTS + "unaligned": ("true", lambda e: e.is_unaligned_checkpoints_enabled(), True),
    CHECKPOINTS + "unaligned.enabled": (
        "true",
        lambda e: e.is_unaligned_checkpoints_enabled(),
        True,
    ),
    CHECKPOINTS + "unaligned.forced": ("true", lambda e: e.is_force_unaligned_checkpoints(), True),
    **dict.fromkeys(
        [CHECKPOINTS + "aligned-checkpoint-timeout", CHECKPOINTS + "alignment-timeout"],
        ("7 s", lambda e: e.get_checkpoint_config().get_alignment_timeout().to_millis(), 7000),
    ),
    **dict.fromkeys(
        [CHECKPOINTS + "num-retained", "state.checkpoints.num-retained"],
        ("3", lambda e: e.get_checkpoint_config()._retained, 3),
    ),
    **dict.fromkeys(
        [
            CHECKPOINTS + "checkpoints-after-tasks-finish",
            CHECKPOINTS + "checkpoints-after-tasks-finish.enabled",
        ],
        ("false", lambda e: e.get_checkpoint_config()._after_tasks_finish, False),
    ),
    CHECKPOINTS + "snapshot-compression": (
        "true",
        lambda e: e.get_config().is_use_snapshot_compression(),
        True,
    ),
    CHECKPOINTS + "mode": (
        "AT_LEAST_ONCE",
        lambda e: e.get_checkpointing_mode(),
        CheckpointingMode.AT_LEAST_ONCE,
    ),
    CHECKPOINTS + "externalized-checkpoint-retention": (
        "RETAIN_ON_CANCELLATION",
        lambda e: e.get_checkpoint_config().get_externalized_checkpoint_retention(),
        ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION,
    ),
    **dict.fromkeys(
        [CHECKPOINTS + "dir", "state.checkpoints.dir"],
        (
            "file:///a/b",
            lambda e: e.get_checkpoint_config().get_checkpoint_storage().get_checkpoint_path(),
            "file:///a/b",
        ),
    ),
    **dict.fromkeys(
        [CHECKPOINTS + "savepoint-dir", "state.savepoints.dir"],
        ("file:///a/b", lambda e: e.get_default_savepoint_directory(), "file:///a/b"),
    ),
    **dict.fromkeys(
        [CHECKPOINTS + "storage", "state.checkpoint-storage"],
        (
            "jobmanager",
            lambda e: type(e.get_checkpoint_config().get_checkpoint_storage()),
            JobManagerCheckpointStorage,
        ),
    ),
    **dict.fromkeys(
        ["state.changelog.enabled", "state.backend.changelog.enabled"],
        ("true", lambda e: e.is_changelog_state_backend_enabled(), True),
    ),
    **dict.fromkeys(
        ["state.backend", "state.backend.type"],
        ("rocksdb", lambda e: type(e.get_state_backend()), EmbeddedRocksDBStateBackend),
    ),
}

NO_EFFECT_TO_READ = {
    "pipeline.jars": "a.jar",
    "pipeline.classpaths": "a.jar",
    "python.files": "test_dependencies.py",
    "python.requirements": "test_dependencies.py",
    "python.archives": "test_dependencies.py",
    "python.executable": "test_dependencies.py",
}
"""Keys that only say something in the log, or where they are tested."""


def test_there_is_a_case_for_every_key():
    assert sorted([*SETTINGS, *NO_EFFECT_TO_READ]) == sorted(configure_module._SETTINGS)


@pytest.mark.parametrize("key", sorted(SETTINGS))
def test_each_key_sets_what_it_names(key):
    value, read, expected = SETTINGS[key]
    untouched = StreamExecutionEnvironment.get_execution_environment()
    try:
        before = read(untouched)
    except (AttributeError, KeyError):
        before = None
    assert before != expected, "this would show nothing"
    assert read(of({key: value})) == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[
            (key, "nonsense")
            for key, (value, _, _) in SETTINGS.items()
            if value in ("true", "false", "7 s", "2", "3", "64", "5 mb")
        ],
        ("pipeline.time-characteristic", "nonsense"),
        ("pipeline.closure-cleaner-level", "nonsense"),
        ("pipeline.global-job-parameters", "nonsense"),
        ("pipeline.global-job-parameters", "a:'b"),
        ("pipeline.cached-files", "name:a"),
        ("pipeline.cached-files", "/etc/hostname"),
        ("execution.runtime-mode", "nonsense"),
        (CHECKPOINTS + "mode", "nonsense"),
        (CHECKPOINTS + "externalized-checkpoint-retention", "nonsense"),
        (CHECKPOINTS + "storage", "nonsense"),
        ("state.checkpoint-storage", "nonsense"),
        ("state.backend", "nonsense"),
        ("state.backend.type", "com.example.MineFactory"),
        ("state.backend.type", "filesystem"),  # without a folder
        ("restart-strategy", "nonsense"),
        ("restart-strategy.type", "nonsense"),
    ],
)
def test_nonsense_is_refused_by_name(key, value):
    with pytest.raises(ValueError, match=key.replace(".", r"\.")):
        of({key: value})


def test_a_text_with_an_open_quote_says_so():
    with pytest.raises(ValueError, match="a ' is not closed"):
        of({"pipeline.global-job-parameters": "a:'b"})


@pytest.mark.parametrize(
    ("value", "backend"),
    [
        ("hashmap", HashMapStateBackend),
        ("HashMap", HashMapStateBackend),
        ("rocksdb", EmbeddedRocksDBStateBackend),
        ("jobmanager", MemoryStateBackend),
        ("org.apache.flink.runtime.state.hashmap.HashMapStateBackendFactory", HashMapStateBackend),
        (
            "org.apache.flink.contrib.streaming.state.EmbeddedRocksDBStateBackendFactory",
            EmbeddedRocksDBStateBackend,
        ),
    ],
)
def test_state_backends_by_name(value, backend):
    assert type(of({"state.backend": value}).get_state_backend()) is backend


@pytest.mark.parametrize("key", ["state.checkpoints.dir", CHECKPOINTS + "dir"])
def test_the_older_file_system_backend_takes_its_folder_from_the_settings(key):
    backend = of({"state.backend": "filesystem", key: "file:///a/b"}).get_state_backend()
    assert type(backend) is FsStateBackend
    assert backend.get_checkpoint_path() == "file:///a/b"


FIXED = "restart-strategy.fixed-delay."
RATE = "restart-strategy.failure-rate."
GROWING = "restart-strategy.exponential-delay."


@pytest.mark.parametrize(
    ("settings", "strategy"),
    [
        ({"restart-strategy": "none"}, RestartStrategies.no_restart()),
        ({"restart-strategy.type": "off"}, RestartStrategies.no_restart()),
        ({"restart-strategy.type": "disable"}, RestartStrategies.no_restart()),
        (
            {"restart-strategy.type": "fixed-delay"},
            RestartStrategies.fixed_delay_restart(1, 1000),
        ),
        (
            {"restart-strategy": "fixeddelay", FIXED + "attempts": "3", FIXED + "delay": "7 s"},
            RestartStrategies.fixed_delay_restart(3, 7000),
        ),
        (
            {"restart-strategy.type": "failure-rate"},
            RestartStrategies.failure_rate_restart(1, 60_000, 1000),
        ),
        (
            {
                "restart-strategy.type": "failurerate",
                RATE + "max-failures-per-interval": "3",
                RATE + "failure-rate-interval": "5 min",
                RATE + "delay": "7 s",
            },
            RestartStrategies.failure_rate_restart(3, 300_000, 7000),
        ),
        (
            {"restart-strategy.type": "exponential-delay"},
            _ExponentialDelay(1000, 60_000, 1.5, 3_600_000, 0.1, 2**31 - 1),
        ),
        (
            {
                "restart-strategy.type": "exponentialdelay",
                GROWING + "initial-backoff": "2 s",
                GROWING + "max-backoff": "3 min",
                GROWING + "backoff-multiplier": "2.0",
                GROWING + "reset-backoff-threshold": "10 min",
                GROWING + "jitter-factor": "0.2",
                GROWING + "attempts-before-reset-backoff": "8",
            },
            _ExponentialDelay(2000, 180_000, 2.0, 600_000, 0.2, 8),
        ),
    ],
)
def test_restart_strategies_by_name(settings, strategy, caplog):
    with caplog.at_level(logging.INFO, "pyflink"):
        assert of(settings).get_restart_strategy() == strategy
    assert caplog.text == ""


def test_an_unknown_restart_strategy_lists_the_known_ones():
    with pytest.raises(ValueError, match="expected none, fixed-delay, failure-rate or exponential"):
        of({"restart-strategy.type": "exponential"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (FIXED + "attempts", "many"),
        (RATE + "delay", "soon"),
        (GROWING + "backoff-multiplier", "more"),
        (GROWING + "backoff-multiplier", "1"),
        (GROWING + "max-backoff", "1 ms"),
        (GROWING + "jitter-factor", "2"),
        (GROWING + "initial-backoff", "0"),
    ],
)
def test_a_restart_strategy_checks_its_numbers(key, value):
    kind = key.split(".")[1]
    with pytest.raises(ValueError, match=key.replace(".", r"\.")):
        of({"restart-strategy.type": kind, key: value})


def test_whether_buffers_time_out_may_come_first_or_last():
    enabled, interval = "execution.buffer-timeout.enabled", "execution.buffer-timeout.interval"
    assert of({enabled: "false", interval: "7 s"}).get_buffer_timeout() == -1
    assert of({interval: "7 s", enabled: "false"}).get_buffer_timeout() == -1
    assert of({enabled: "true", interval: "7 s"}).get_buffer_timeout() == 7000


@pytest.fixture
def said(monkeypatch, caplog):
    monkeypatch.setattr(configure_module, "_said", set())
    caplog.set_level(logging.INFO, "pyflink")
    return lambda: [(r.levelname, r.getMessage()) for r in caplog.records]


def test_a_setting_that_has_no_effect_yet_is_named_once(said):
    for _ in range(2):
        of({"state.backend.local-recovery": "true"})
    assert said() == [("WARNING", "the setting 'state.backend.local-recovery' has no effect here")]


def test_a_slip_in_a_name_is_guessed(said):
    of({"execution.checkpointing.intervall": "5 s"})
    assert said() == [
        (
            "WARNING",
            "the setting 'execution.checkpointing.intervall' has no effect here; did you mean"
            " 'execution.checkpointing.interval'?",
        )
    ]


@pytest.mark.parametrize(
    "key",
    [
        "state.backend.rocksdb.memory.manged",
        "state.backend.local-recovery",
        "pipeline.vertex-description-mode",
        "execution.batch-shuffle-mode",
        "table.exec.mini-batch.enabled",
        "restart-strategy.nonsense",
        "metrics.reporters",
    ],
)
def test_flinks_other_settings_are_warned_of(said, key):
    of({key: "1"})
    assert [(level, key in message) for level, message in said()] == [("WARNING", True)]


@pytest.mark.parametrize(
    "key",
    [
        "taskmanager.numberOfTaskSlots",
        "jobmanager.rpc.address",
        "python.fn-execution.bundle.size",
        "python.execution-mode",
        "rest.port",
    ],
)
def test_settings_of_a_cluster_are_not_needed(said, key):
    of({key: "1"})
    assert said() == [
        ("INFO", f"the setting {key!r} is not needed: there is no cluster to be configured")
    ]


def test_a_programs_own_settings_are_nobodys_business(said):
    env = of({"my.threshold": "5"})
    assert said() == []
    assert env._settings["my.threshold"] == "5"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("task.cancellation.interval", "10 s"),
        ("task.cancellation.timeout", "1 min"),
        ("metrics.latency.interval", "5 s"),
        ("execution.checkpointing.snapshot-compression", "true"),
        ("state.changelog.enabled", "true"),
    ],
)
def test_what_is_only_kept_is_named_once(key, value, monkeypatch, caplog):
    monkeypatch.setattr(_logging, "_kept", set())
    for _ in range(2):
        of({key: value})
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "is kept and has no effect" in caplog.text


@pytest.mark.parametrize(
    "use",
    [
        lambda: EmbeddedRocksDBStateBackend().set_options("my.Factory"),
        lambda: EmbeddedRocksDBStateBackend().set_number_of_transfer_threads(16),
        lambda: StateTtlConfig.new_builder(Time.days(1)).cleanup_incrementally(5, True),
        lambda: StateTtlConfig.new_builder(Time.days(1)).cleanup_incrementally(10, False),
        lambda: StateTtlConfig.new_builder(Time.days(1)).disable_cleanup_in_background(),
        lambda: StateTtlConfig.new_builder(Time.days(1)).cleanup_in_rocksdb_compact_filter(
            10, Duration.of_hours(1)
        ),
        *(lambda key=key: of({key: "1"}) for key in sorted(_rocksdb._KEPT)),
        lambda: of({"execution.checkpointing.aligned-checkpoint-timeout": "1 s"}),
    ],
)
def test_what_is_only_kept_by_other_ways_is_named_once(use, monkeypatch, caplog):
    monkeypatch.setattr(_logging, "_kept", set())
    for _ in range(2):
        use()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "is kept and has no effect" in caplog.text
