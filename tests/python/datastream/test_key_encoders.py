"""Keys of the user's own classes."""

from __future__ import annotations

import pytest

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.keys import register_key_encoder


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __repr__(self):
        return f"Point({self.x}, {self.y})"


class Place(Point):
    """Gets the encoder of its base."""


class Circular:
    pass


def counts_of(points):
    env = StreamExecutionEnvironment.get_execution_environment()
    env.set_parallelism(1)
    counted = (
        env.from_collection(points)
        .map(lambda point: (point, 1))
        .key_by(lambda pair: pair[0])
        .reduce(lambda a, b: (a[0], a[1] + b[1]))
    )
    with counted.execute_and_collect() as results:
        return [(repr(point), count) for point, count in results]


def test_a_registered_encoder_decides_which_keys_are_one():
    points = [Point(1, 2), Point(2, 1), Point(1, 2)]
    with pytest.raises(RuntimeError, match=r"Point\(1, 2\).*register_key_encoder"):
        counts_of(points)
    register_key_encoder(Point, lambda point: (point.x, point.y))
    assert counts_of(points) == [("Point(1, 2)", 1), ("Point(2, 1)", 1), ("Point(1, 2)", 2)]
    assert counts_of([Place(1, 2), Point(1, 2)])[-1][1] == 2
    register_key_encoder(Point, lambda point: point.x)  # a later one replaces it
    assert counts_of([Point(1, 2), Point(1, 3)])[-1][1] == 2


def test_an_encoder_that_gives_its_class_again():
    register_key_encoder(Circular, lambda key: key)
    with pytest.raises(RuntimeError, match=r"the key encoder of .*Circular returned"):
        counts_of([Circular()])


@pytest.mark.parametrize(
    ("key_class", "encoder", "message"),
    [
        (Point(1, 2), repr, "takes a class"),
        (int, repr, "int has a key encoding of its own"),
        (Point, "x", "cannot be called: 'x'"),
    ],
)
def test_wrong_registrations(key_class, encoder, message):
    with pytest.raises(TypeError, match=message):
        register_key_encoder(key_class, encoder)
