import pickle

import pytest

from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation

CASES = [
    (Types.STRING(), "String"),
    (Types.INT(), "Integer"),
    (Types.LONG(), "Long"),
    (Types.BIG_DEC(), "BigDecimal"),
    (Types.SQL_TIMESTAMP(), "TimestampTypeInfo"),
    (Types.PICKLED_BYTE_ARRAY(), "PickledByteArrayTypeInfo"),
    (Types.PRIMITIVE_ARRAY(Types.BYTE()), "PrimitiveArrayTypeInfo<Byte>"),
    (Types.BASIC_ARRAY(Types.STRING()), "BasicArrayTypeInfo<String>"),
    (Types.OBJECT_ARRAY(Types.SQL_DATE()), "ObjectArrayTypeInfo<DateTypeInfo>"),
    (Types.LIST(Types.INT()), "ListTypeInfo<Integer>"),
    (Types.MAP(Types.STRING(), Types.INT()), "MapTypeInfo<String, Integer>"),
    (Types.TUPLE([Types.STRING(), Types.INT()]), "TupleTypeInfo(String, Integer)"),
    (Types.ROW([Types.STRING(), Types.INT()]), "RowTypeInfo(String, Integer)"),
    (
        Types.ROW_NAMED(["a", "b"], [Types.STRING(), Types.STRING()]),
        "RowTypeInfo(a: String, b: String)",
    ),
]


@pytest.mark.parametrize(("type_info", "text"), CASES, ids=[text for _, text in CASES])
def test_a_type_prints_as_upstream_and_survives_pickling(type_info, text):
    assert str(type_info) == text
    type_info._logical()
    copy = pickle.loads(pickle.dumps(type_info))
    assert copy == type_info
    assert hash(copy) == hash(type_info)
    assert copy._logical() == type_info._logical()


def test_types_compare_by_value():
    assert Types.ROW([Types.INT()]) == Types.ROW_NAMED(["a"], [Types.INT()])
    assert Types.LIST(Types.INT()) != Types.BASIC_ARRAY(Types.INT())
    assert Types.INT() != Types.LONG()


def test_unnamed_fields_are_called_f0_f1():
    assert Types.ROW([Types.INT(), Types.STRING()]).get_field_names() == ["f0", "f1"]


def test_an_unknown_type_lists_the_known_ones():
    with pytest.raises(AttributeError, match=r"no Types.INTEGER; known types: .*BIG_DEC"):
        Types.INTEGER()


def test_a_type_that_was_not_called_is_pointed_out():
    with pytest.raises(TypeError, match=r"did you mean Types.STRING\(\)"):
        Types.ROW([Types.INT(), Types.STRING])


def test_names_must_fit_types():
    with pytest.raises(ValueError, match="needs as many names"):
        Types.ROW_NAMED(["a"], [])
    with pytest.raises(ValueError, match="more than once"):
        Types.ROW_NAMED(["a", "a"], [Types.INT(), Types.INT()])


def test_arrays_refuse_elements_they_cannot_hold():
    with pytest.raises(TypeError, match="primitive array"):
        Types.PRIMITIVE_ARRAY(Types.STRING())
    with pytest.raises(TypeError, match="basic array"):
        Types.BASIC_ARRAY(Types.SQL_DATE())


def test_of_takes_python_classes_and_types():
    assert TypeInformation.of(int) == Types.LONG()
    assert TypeInformation.of(Types.INT()) == Types.INT()
    assert TypeInformation.of(object) == Types.PICKLED_BYTE_ARRAY()
