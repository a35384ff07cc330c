import ntpath

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.model.names import ancestors, defect_on_windows, validate_partition_segment, validate_segment


@pytest.mark.parametrize("name", ["ssh", "x-1", "a.b", "hauteur_é", "海面", "a+b", "A" * 200, "C"])
def test_a_name_of_letters_digits_and_marks_is_accepted(name):
    assert validate_segment(name, what="variable") == name
    assert validate_partition_segment(f"f={name[:190]}") == f"f={name[:190]}"


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "zarr.json", "c", "_x", "a/b", "a\\b", "a b", "a=b", "a\x00", "a\n", "é".encode("latin1")),
        *(
            "a%20b",
            "A" * 201,
            "é" * 101,
            "e\u0301",
            "con",
            "NUL.txt",
            "lpt1",
            "a.",
            5,
            None,
            "a:b",
            "a*b",
            "a?",
            "\ud800",
        ),
    ],
)
def test_anything_else_is_rejected_by_name(name):
    with pytest.raises(zc.SchemaError, match="variable"):
        validate_segment(name, what="variable")
    if name not in {"a=b", "a%20b"}:
        with pytest.raises(zc.PartitionError):
            validate_partition_segment(name)


@pytest.mark.parametrize("segment", ["f=a%20b", "f=%2E%2E", "f=a=b"])
def test_a_partition_segment_may_have_an_equals_sign_and_percent_encoding(segment):
    assert validate_partition_segment(segment) == segment


def test_ancestors_include_the_root_and_the_path():
    assert ancestors("a/b/c") == ("", "a", "a/b", "a/b/c")
    assert ancestors("") == ("",)


@given(st.text(min_size=1, max_size=20))
@example("conin$")
@example("aux .txt")
def test_a_name_that_is_accepted_can_be_one_of_windows(name):
    if defect_on_windows(name) is not None:
        with pytest.raises(zc.SchemaError):
            validate_segment(name, what="variable")
        with pytest.raises(zc.PartitionError):
            validate_partition_segment(name)


@pytest.mark.skipif(not hasattr(ntpath, "isreserved"), reason="Python 3.13 has the oracle")
@given(st.text(min_size=1, max_size=20) | st.from_regex(r"(con|NUL|com1|lpt9|aux|x)[ .$a]{0,3}", fullmatch=True))
def test_the_names_reserved_on_windows_are_those_of_python(name):
    assume(not set(name) & set("/\\:") and name not in {".", ".."})  # these make a path of it
    assert (defect_on_windows(name) is not None) == ntpath.isreserved(name)
