"""DuckDB: the files of the Parquet peer, asked by SQL whose conditions and columns it pushes down to them."""

from functools import cached_property
from typing import ClassVar

import duckdb

from peers.parquet import Parquet


class DuckDB(Parquet):
    """One connection without tables serves all operations: to make one takes 13 ms, which are none of the question's."""

    about = "DuckDB, SQL on the hive-partitioned files of parquet"
    libraries: ClassVar = ("duckdb", "pyarrow")

    @cached_property
    def _connection(self):
        return duckdb.connect(config={"threads": self.threads})

    def ask(self, place, layout, question):
        columns = ", ".join(map(_quoted, question.variables))
        return self._connection.execute(f"SELECT {columns} {_rows(place, layout, question)}").fetchnumpy()

    def count(self, place, layout, question):
        return self._connection.execute(f"SELECT count(*) {_rows(place, layout, question)}").fetchone()[0]

    def means(self, place, layout, variables):
        found = self._connection.execute(f"SELECT {averages(variables)} FROM {_files(place)}").fetchone()
        return dict(zip(variables, found, strict=True))


def averages(variables):
    """Return what SQL selects for the means of some variables."""
    return ", ".join(f"avg({_quoted(name)})" for name in variables)


def _files(place):
    return f"read_parquet('{place}/**/*.parquet', hive_partitioning = true)"


def _rows(place, layout, question):
    conditions = [
        f"{_quoted(item.name)} {item.operator} {_literal(layout, item)}"
        for item in (*question.comparisons, *question.keys)
    ]
    return f"FROM {_files(place)} WHERE {' AND '.join(conditions)}"


def _literal(layout, comparison):
    """Return a number as SQL: one beside a float32 as such, so that it is compared as NumPy compares it."""
    is_single = any((item.path, item.dtype) == (comparison.name, "float32") for item in layout.variables)
    return f"CAST({comparison.value!r} AS FLOAT)" if is_single else repr(comparison.value)


def _quoted(name):
    return f'"{name}"'
