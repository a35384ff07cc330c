"""Objects as rows of a table; the methods are those of `KeyStore`, blocking, and each is one transaction."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from attrs import frozen

from zcollection.plugin import Created, Listed, Read, StoreError, StoreURL, check_keys, check_prefixes, listing

_TABLE = "CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY, data BLOB NOT NULL, modified REAL, number INTEGER)"
_WRITE = """
INSERT INTO objects VALUES (?, ?, ?, (SELECT coalesce(max(number), 0) + 1 FROM objects))
ON CONFLICT (key) DO UPDATE SET data = excluded.data, modified = excluded.modified, number = excluded.number
"""
_GROUP = "zarr.json"
_TIMEOUT = 60.0


@frozen
class Database:
    """The objects of one database file.

    Attributes
    ----------
    url
        URL of the store, for error messages.
    path
        Path of the file; the first change creates it.
    check_writable
        Function that raises an error unless the store was opened for writing.
    """

    url: StoreURL
    path: str
    check_writable: Callable[[], None]

    def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read."""
        check_keys(self.url, *(read.key for read in reads))
        with self._reading() as database:
            return [read.part(_data(database, read.key)) for read in reads]

    def put(self, items: Mapping[str, bytes]) -> None:
        """Write all objects atomically."""
        with self._writing(*items) as database:
            database.executemany(_WRITE, [(key, bytes(data), time.time()) for key, data in items.items()])

    stage = put

    def create(self, key: str, data: bytes) -> Created:
        """Write an object unless the key exists."""
        with self._writing(key) as database:
            if _data(database, key) is not None:
                return "exists"
            database.execute(_WRITE, (key, bytes(data), time.time()))
            return "created"

    def list(self, prefix: str, *, after: str, recursive: bool) -> Iterator[Listed]:
        """Yield the entries under a prefix, sorted by key."""
        if prefix:
            check_prefixes(self.url, prefix)
        with self._reading() as database:
            rows = database.execute(
                "SELECT key, length(data), modified, number FROM objects WHERE key >= ? AND key < ? ORDER BY key",
                _below(prefix),
            ).fetchall()
        objects = (
            Listed(key=key, size=size, modified=modified, etag=str(number)) for key, size, modified, number in rows
        )
        return listing(objects, prefix, after=after, recursive=recursive)

    def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects."""
        requested = tuple(pairs)
        with self._writing(*(key for pair in requested for key in pair)) as database:
            for source, target in requested:
                data = _data(database, source)
                if data is None:
                    message = f"cannot copy {source!r} in {self.url}: there is no such object; run the operation again"
                    raise StoreError(message)
                database.execute(_WRITE, (target, data, time.time()))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; a key that ends with "/" deletes every object under it."""
        requested = tuple(keys)
        with self._writing(*(key.removesuffix("/") for key in requested)) as database:
            for key in requested:
                _delete(database, key)

    def publish(self, staged: str, target: str) -> None:
        """Replace the group under `target` with the staged group."""
        check_prefixes(self.url, staged, target)
        with self._writing() as database:
            moved, existing = _keys(database, staged), _keys(database, target)
            if not moved and not existing:
                message = f"cannot publish {target!r} in {self.url}: nothing is staged at {staged!r}; stage it again"
                raise StoreError(message)
            # A staged group without its document was already published, and then partly removed.
            if moved and (f"{staged}{_GROUP}" in moved or f"{target}{_GROUP}" not in existing):
                _delete(database, target)
                new = [(target + key.removeprefix(staged), key) for key in moved]
                database.executemany("UPDATE objects SET key = ? WHERE key = ?", new)

    def unpublish(self, target: str, trash: str) -> None:
        """Delete the group under `target`."""
        check_prefixes(self.url, target, trash)
        self.delete([target])

    def try_lock(self) -> sqlite3.Connection | None:
        """Acquire the lock of the writers if it is free, and return the connection whose `close` releases it; else return None."""
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        lock = sqlite3.connect(f"{self.path}.lock", timeout=0, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            lock.close()
            return None
        return lock

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        place = self.path if os.path.exists(self.path) else ":memory:"  # reading creates no file
        with (
            self._translated_errors("read"),
            closing(sqlite3.connect(place, timeout=_TIMEOUT, isolation_level=None)) as database,
        ):
            database.execute("BEGIN")  # all statements see one state
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'objects'").fetchone():
                database.execute(_TABLE.replace("CREATE TABLE", "CREATE TEMP TABLE"))
            yield database

    @contextmanager
    def _writing(self, *keys: str) -> Iterator[sqlite3.Connection]:
        self.check_writable()
        check_keys(self.url, *keys)
        with self._translated_errors("write"):
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=_TIMEOUT, isolation_level=None)) as database:
                database.execute("BEGIN IMMEDIATE")
                database.execute(_TABLE)
                yield database
                database.execute("COMMIT")

    @contextmanager
    def _translated_errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            reason = getattr(error, "sqlite_errorname", type(error).__name__)
            message = f"cannot {action} {self.url}: {reason}; check the file, and run the operation again"
            raise StoreError(message) from None


def _below(prefix: str) -> tuple[str, str]:
    # "0" follows "/"; the last character of Unicode follows all keys.
    return prefix, f"{prefix[:-1]}0" if prefix else "\U0010ffff"


def _keys(database: sqlite3.Connection, prefix: str) -> list[str]:
    return [key for (key,) in database.execute("SELECT key FROM objects WHERE key >= ? AND key < ?", _below(prefix))]


def _data(database: sqlite3.Connection, key: str) -> bytes | None:
    row = database.execute("SELECT data FROM objects WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]


def _delete(database: sqlite3.Connection, key: str) -> None:
    if key.endswith("/"):
        database.execute("DELETE FROM objects WHERE key >= ? AND key < ?", _below(key))
    else:
        database.execute("DELETE FROM objects WHERE key = ?", (key,))
