"""A plugin for zcollection: collections in SQLite databases."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_stores() -> Iterator[Provides]:
    """Yield the store."""
    yield Provides("sqlite", target="collections_in_sqlite.store:SQLiteStore", summary="One SQLite database")
