import copy
from datetime import timedelta

import pytest

from pyflink.common import (
    Configuration,
    Duration,
    ExecutionConfig,
    Instant,
    RestartStrategies,
    Time,
)


def test_a_configuration_keeps_types_and_prints_java_like():
    conf = Configuration()
    conf.set_string("k1", "v1").set_integer("k2", 1).set_boolean("k3", True).set_float("k4", 1.2)
    assert str(conf) == "{k1=v1, k2=1, k3=true, k4=1.2}"
    assert conf.to_dict() == {"k1": "v1", "k2": "1", "k3": "true", "k4": "1.2"}
    target = {}
    conf.add_all_to_dict(target)
    assert target == {"k1": "v1", "k2": 1, "k3": True, "k4": 1.2}


def test_configurations_copy_compare_and_merge():
    conf = Configuration().set_string("a", "1")
    other = copy.deepcopy(conf)
    assert other == conf
    assert hash(other) == hash(conf)
    other.set_string("a", "2")
    assert other != conf
    merged = Configuration().add_all(conf, "p.")
    assert merged.get_integer("p.a", 0) == 1
    assert merged.remove_config("p.a")
    assert not merged.remove_config("p.a")


def test_a_value_of_the_wrong_form_names_its_key():
    with pytest.raises(ValueError, match="for key 'a'"):
        Configuration().set_string("a", "x").get_integer("a", 0)


def test_restart_strategies_compare_by_value():
    assert RestartStrategies.fixed_delay_restart(3, 1000) == RestartStrategies.fixed_delay_restart(
        3, timedelta(seconds=1)
    )
    assert RestartStrategies.no_restart() != RestartStrategies.fall_back_restart()


def test_execution_configs_compare_by_value():
    one, two = ExecutionConfig(), ExecutionConfig()
    assert one == two
    assert hash(one) == hash(two)
    one.enable_object_reuse()
    assert one != two


def test_lengths_of_time():
    assert Time.minutes(1).to_milliseconds() == 60_000
    assert str(Time.seconds(2)) == "2000 ms"
    assert Duration.of_seconds(1) == Duration.of_millis(1000)
    assert Instant.of_epoch_milli(-1) == Instant(-1, 999_000_000)
    assert Instant.of_epoch_milli(-1).to_epoch_milli() == -1
