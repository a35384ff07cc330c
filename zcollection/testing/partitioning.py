"""The conformance suite of partitionings."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from zcollection.contracts.partitioning import Field, Key, Partitioning
from zcollection.errors import PartitionError
from zcollection.model.names import validate_partition_segment
from zcollection.testing.partitioning_cases import (
    OTHER_CALENDARS,
    Columns,
    columns_of,
    early_columns,
    foreign_paths,
    in_calendar,
    keys_of,
    other_types,
    other_values,
    rows_of,
    strings,
    table,
    wrong_columns,
)
from zcollection.testing.repeatable import RepeatableSuite
from zcollection.testing.suite import a_quarter, skip_unless

__all__ = ["PartitioningSuite", "strings", "table"]


Check = Callable[[Partitioning, Any], None]


class PartitioningSuite(RepeatableSuite):
    """Conformance of a partitioning; subclass it, and set `examples`.

    The checks hold for every partitioning: each row has a key that does not depend on neighbouring rows, and each key has a
    safe path. Test in the plugin's own tests which key a row has.

    Attributes
    ----------
    examples
        Partitionings to check, one for each configuration that behaves differently.

    Examples
    --------
    ::

        class TestLatitudeBand(PartitioningSuite):
            examples = (LatitudeBand(),)

            def columns(self, partitioning):
                return table({"latitude": ("float64", st.floats(-90, 90))})
    """

    def columns(self, partitioning: Partitioning) -> st.SearchStrategy[Columns]:
        """Return a Hypothesis strategy for valid input of an example: columns with at least one row.

        Override it if the variables are neither times nor integers, or if not all times or integers have a partition.
        `table` makes such a strategy from a strategy for the values of each variable; `strings` is a strategy for strings.

        Parameters
        ----------
        partitioning
            One of `examples`.

        Returns
        -------
        SearchStrategy
            Columns by the names in ``partitioning.variables``, each of shape (rows,). By default, `time_variables` are
            datetime64 from 1900 to 2100 in several units, and the others are int64, including negative numbers.
        """
        return columns_of(partitioning)

    def test_field_names_are_distinct(self) -> None:
        """There is at least one field, and no two fields have the same name."""
        for partitioning in self.examples:
            names = [field.name for field in partitioning.fields if isinstance(field, Field)]
            assert len(names) == len(partitioning.fields), "a field is not a Field"
            assert names, "there are no fields"
            assert len(set(names)) == len(names), f"two of the fields {names} have the same name"

    def test_variables_are_paths(self) -> None:
        """`variables` is a tuple of strings, `time_variables` are among them, and `dimension` is a name or None."""
        for partitioning in self.examples:
            variables = partitioning.variables
            assert isinstance(variables, tuple), f"variables is a {type(variables).__name__}"
            assert variables, "there are no variables"
            assert all(isinstance(name, str) and name for name in variables)
            assert set(partitioning.time_variables) <= set(variables), "a time variable is not among the variables"
            assert partitioning.dimension is None or (
                isinstance(partitioning.dimension, str) and partitioning.dimension
            )

    def test_each_row_has_a_key(self) -> None:
        """`keys` returns for every field, in order, an array with one integer, string or boolean for every row."""
        self._explore(_check_keys)

    def test_other_calendars_are_accepted(self) -> None:
        """A partitioning with `calendars` has keys for times in other calendars, and `decode` inverts their paths."""

        def check(partitioning: Partitioning, columns: Columns) -> None:
            for calendar in OTHER_CALENDARS if partitioning.calendars else ():
                for key in keys_of(partitioning, in_calendar(columns, calendar)):
                    path = partitioning.encode(key)
                    assert partitioning.decode(path) == key, f"{path!r} is not decoded to {key}"

        self._explore(check)

    def test_no_rows_give_no_keys(self) -> None:
        """Empty columns give empty keys, and no error."""
        self._explore(lambda partitioning, columns: _check_keys(partitioning, rows_of(columns, slice(0))))

    def test_keys_do_not_depend_on_neighbours(self) -> None:
        """Keys computed row by row equal the keys of all rows at once, so that a split insert fills the same partitions."""

        def check(partitioning: Partitioning, columns: Columns) -> None:
            together = keys_of(partitioning, columns)
            alone = [keys_of(partitioning, rows_of(columns, [row]))[0] for row in range(len(together))]
            _check_same(alone, together, "the key of a row depends on its neighbours")

        self._explore(check)

    def test_keys_do_not_depend_on_the_order_of_rows(self) -> None:
        """Shuffled rows have the same keys as the rows in their original order."""

        def check(partitioning: Partitioning, columns: Columns) -> None:
            keys = keys_of(partitioning, columns)
            order = np.random.default_rng(len(keys)).permutation(len(keys))
            shuffled = keys_of(partitioning, rows_of(columns, order))
            _check_same(shuffled, [keys[row] for row in order.tolist()], "the key of a row depends on their order")

        self._explore(check)

    def test_keys_do_not_depend_on_the_number_of_rows(self) -> None:
        """A row has the same key in a block of thousands of rows as in a small one."""

        def check(partitioning: Partitioning, columns: Columns) -> None:
            keys = keys_of(partitioning, columns)
            times = 4096 // len(keys) + 1
            rows = np.tile(np.arange(len(keys)), times)
            many = keys_of(partitioning, rows_of(columns, rows))
            _check_same(many, keys * times, "the key of a row depends on their number")

        self._explore(check)

    def test_keys_are_deterministic(self) -> None:
        """Two calls with the same rows return the same keys."""

        def check(partitioning: Partitioning, columns: Columns) -> None:
            again = keys_of(partitioning, columns)
            _check_same(again, keys_of(partitioning, columns), "a second call returns other keys")

        self._explore(check)

    def test_columns_are_not_modified(self) -> None:
        """`keys` changes no value, and adds or removes no column."""

        def check(partitioning: Partitioning, columns: Columns) -> None:
            copies = {name: column.copy() for name, column in columns.items()}
            partitioning.keys(copies)
            assert copies.keys() == columns.keys(), "the partitioning changed its columns"
            for name, column in columns.items():
                np.testing.assert_array_equal(copies[name], column, strict=True)

        self._explore(check)

    def test_keys_do_not_depend_on_the_dtype(self) -> None:
        """Rows have the same keys in other widths of integers, other units of time, and non-contiguous arrays."""
        self._explore(_check_types)

    def test_negative_numbers_and_early_dates_are_accepted(self) -> None:
        """Large negative numbers, and times from 1678 on, have safe paths too."""
        skip_unless(type(self).columns is PartitioningSuite.columns, "the subclass overrides columns()")
        for partitioning in self.examples:
            for check in (_check_keys, _check_inverse, _check_paths):
                check(partitioning, early_columns(partitioning))

    def test_decode_inverts_encode(self) -> None:
        """`decode` returns the key from the path that `encode` returns."""
        self._explore(_check_inverse)

    def test_paths_are_safe_and_distinct(self) -> None:
        """A path has one safe segment for each field, and no two keys have the same path."""
        self._explore(_check_paths)

    def test_keys_are_ordered_by_value(self) -> None:
        """Keys sort field by field: numbers by value, strings by code point, False before True."""

        def check(partitioning: Partitioning, columns: Columns) -> None:
            keys = set(keys_of(partitioning, columns))
            decoded = sorted(partitioning.decode(partitioning.encode(key)) for key in keys)
            assert all(isinstance(key, Key) for key in decoded), "decode() does not return a Key"
            assert [tuple(key.values()) for key in decoded] == sorted(tuple(key.values()) for key in keys)

        self._explore(check)

    def test_any_string_has_a_safe_path_or_is_rejected(self) -> None:
        """For any string in a text field, `encode` returns a unique, safe path, or raises PartitionError."""
        fields = {field for partitioning in self.examples for field in partitioning.fields if field.text}
        skip_unless(fields, "no example has a text field")
        for partitioning in self.examples:
            columns = st.tuples(self.columns(partitioning), strings())
            _run(lambda partitioning, drawn: _check_text(partitioning, *drawn), partitioning, columns)

    def test_foreign_paths_are_rejected(self) -> None:
        """`decode` raises PartitionError for every path that `encode` does not return."""
        self._explore(_check_foreign_paths)

    def test_foreign_keys_are_rejected(self) -> None:
        """`encode` raises PartitionError if a field is missing, unknown, in the wrong order, or of the wrong type."""
        self._explore(_check_foreign_keys)

    def test_invalid_columns_raise_only_partition_errors(self) -> None:
        """Other types, missing values and limits of types give keys or a PartitionError, and no other error or warning."""
        self._explore(_check_wrong_columns)

    def _function(self) -> Callable[..., Any]:
        return keys_of

    def _inputs(self, example: Partitioning) -> st.SearchStrategy[Columns]:
        return self.columns(example)

    def _explore(self, check: Check) -> None:
        for partitioning in self.examples:
            _run(check, partitioning, self.columns(partitioning))


def _run(check: Check, partitioning: Partitioning, drawn: st.SearchStrategy[Any]) -> None:
    @a_quarter()
    @given(drawn=drawn)
    def explore(drawn: Any) -> None:
        check(partitioning, drawn)

    explore()


def _check_same(keys: list[Key], expected: list[Key], fault: str) -> None:
    """Compare row by row: in CI, pytest takes minutes to show the complete difference of two long lists."""
    assert len(keys) == len(expected), f"{fault}: {len(keys)} keys, not {len(expected)}"
    for row, (key, other) in enumerate(zip(keys, expected, strict=True)):
        assert key == other, f"{fault}: row {row}"


def _check_keys(partitioning: Partitioning, columns: Columns) -> None:
    keys = partitioning.keys({name: column.copy() for name, column in columns.items()})
    assert list(keys) == [field.name for field in partitioning.fields], "the keys do not have the fields in order"
    (count,) = {column.size for column in columns.values()}
    for field in partitioning.fields:
        _check_key_column(field, keys, count)


def _check_key_column(field: Field, keys: Mapping[str, NDArray[Any]], count: int) -> None:
    column = keys[field.name]
    assert isinstance(column, np.ndarray), f"{field.name} is a {type(column).__name__}, not an array"
    assert column.shape == (count,), f"{field.name} has the shape {column.shape}, not ({count},)"
    assert column.dtype.kind in field.kinds, f"{field.name} has the type {column.dtype}"


def _check_types(partitioning: Partitioning, columns: Columns) -> None:
    for name, column in columns.items():
        for rows, values in other_types(column):
            some = rows_of(columns, rows)
            try:
                keys = keys_of(partitioning, {**some, name: values})
            except PartitionError:
                continue
            _check_same(keys, keys_of(partitioning, some), f"the keys change if {name} is {values.dtype}")


def _check_inverse(partitioning: Partitioning, columns: Columns) -> None:
    for key in set(keys_of(partitioning, columns)):
        path = partitioning.encode(key)
        decoded = partitioning.decode(path)
        assert list(decoded.items()) == list(key.items()), f"{path!r} is decoded to a different key"


def _check_paths(partitioning: Partitioning, columns: Columns) -> None:
    keys = set(keys_of(partitioning, columns))
    paths = {partitioning.encode(key) for key in keys}
    assert len(paths) == len(keys), "two keys have the same path"
    for path in paths:
        segments = path.split("/")
        assert len(segments) == len(partitioning.fields), f"{path!r} does not have one segment for each field"
        for segment in segments:
            validate_partition_segment(segment)


def _check_text(partitioning: Partitioning, columns: Columns, text: str) -> None:
    key = keys_of(partitioning, columns)[0]
    for field in partitioning.fields:
        if field.text:
            changed = Key({**key, field.name: text})
            try:
                path = partitioning.encode(changed)
            except PartitionError:
                continue
            for segment in path.split("/"):
                validate_partition_segment(segment)
            assert partitioning.decode(path) == changed, f"{path!r} is not decoded to {changed!r}"


def _check_foreign_paths(partitioning: Partitioning, columns: Columns) -> None:
    key = keys_of(partitioning, columns)[0]
    for path in foreign_paths(partitioning.encode(key), partitioning.fields):
        try:
            decoded = partitioning.decode(path)
        except PartitionError:
            continue
        # A changed path may be the valid path of another partition.
        assert partitioning.encode(decoded) == path, f"the foreign path {path!r} is decoded to {decoded!r}"


def _check_foreign_keys(partitioning: Partitioning, columns: Columns) -> None:
    key = keys_of(partitioning, columns)[0]
    first = next(iter(key))
    reverse = Key(dict(reversed([*key.items()])))
    without = Key({name: value for name, value in key.items() if name != first})
    renamed = Key({f"{name}_": value for name, value in key.items()})
    mistyped = [Key({**key, field.name: value}) for field in partitioning.fields for value in other_values(field)]
    foreign = [without, renamed, Key({**key, "no_such_field": 1}), *([reverse] if len(key) > 1 else []), *mistyped]
    for other in foreign:
        try:
            path = partitioning.encode(other)
        except PartitionError:
            continue
        message = f"the foreign key {other!r} has the path {path!r}"
        raise AssertionError(message)


def _check_wrong_columns(partitioning: Partitioning, columns: Columns) -> None:
    two = rows_of(columns, [0, 0])
    for name in two:
        for wrong in wrong_columns():
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                try:
                    partitioning.keys({**two, name: wrong.copy()})
                except PartitionError:
                    continue
