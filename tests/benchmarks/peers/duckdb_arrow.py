"""DuckDB on collections, through Arrow."""

from functools import cached_property
from typing import ClassVar

import duckdb
import zcollection_arrow

import zcollection as zc
from peers.duckdb_parquet import averages
from peers.ours import Ours, chosen


class DuckDBArrow(Ours):
    """One connection serves all operations, as that of DuckDB on Parquet does."""

    about = "DuckDB, SQL on zcollection_arrow.dataset(collection, where=…)"
    libraries: ClassVar = ("zcollection", "duckdb", "pyarrow")

    @cached_property
    def _connection(self):
        return duckdb.connect(config={"threads": self.threads})

    def ask(self, place, layout, question):
        columns = ", ".join(f'"{name}"' for name in question.variables)
        found = self._asked(place, question, f"SELECT {columns} FROM rows").fetchnumpy()
        return {path: values.view("i8") if values.dtype.kind == "M" else values for path, values in found.items()}

    def count(self, place, layout, question):
        return self._asked(place, question, "SELECT count(*) FROM rows").fetchone()[0]

    def means(self, place, layout, variables):
        with zc.config.using(threads=self.threads):
            rows = zcollection_arrow.dataset(self._open(place, "r"))
            assert rows is not None  # what the SQL names
            found = self._connection.execute(f"SELECT {averages(variables)} FROM rows").fetchone()
        return dict(zip(variables, found, strict=True))

    def chunks_read(self, place, layout, question):
        return None

    def _asked(self, place, question, text):
        with zc.config.using(threads=self.threads):
            rows = zcollection_arrow.dataset(self._open(place, "r"), **chosen(question))
            assert rows is not None  # what the SQL names
            return self._connection.execute(text)
