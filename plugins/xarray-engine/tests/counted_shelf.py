"""A store that counts reads, and a partitioning, so that these tests need no other plugin."""

import asyncio
import threading
from collections import Counter
from contextlib import asynccontextmanager

import numpy as np
from attrs import field, frozen

import zcollection as zc
from zcollection.plugin import Field, KeyStore, Listed, Partitioning, StoreURL, register, unfenced

DATA, LOCKS, READ = {}, {}, Counter()


@frozen(eq=False)
class Shelf(KeyStore):
    """Objects in a dictionary shared by URL; asynchronous only, like object storage."""

    cross_process = False
    has_lock = True

    url: StoreURL
    read_only: bool

    @classmethod
    async def open(cls, url, *, mode, colour="none"):
        del colour  # an option, to be given
        return cls(url, mode == "r")

    def __eq__(self, other):
        return isinstance(other, Shelf) and (self.url, self.read_only) == (other.url, other.read_only)

    def __hash__(self):
        return hash(str(self.url))

    @property
    def data(self):
        return DATA.setdefault(self.url.location, {})

    async def get(self, reads):
        await asyncio.sleep(0)
        READ.update(read.key for read in reads)
        return [read.part(self.data.get(read.key)) for read in reads]

    async def put(self, items):
        self.check_writable()
        self.data.update(items)

    async def create(self, key, data):
        self.check_writable()
        return "created" if self.data.setdefault(key, data) is data else "exists"

    async def list(self, prefix, *, after="", recursive=False):
        found = {}
        for key, value in self.data.items():
            if key.startswith(prefix):
                head, separator, _ = key.removeprefix(prefix).partition("/")
                shown = prefix + head + "/" if separator and not recursive else key
                found[shown] = Listed(key=shown, size=0 if shown.endswith("/") else len(value))
        for key in sorted(found):
            if key > after:
                yield found[key]

    async def copy(self, pairs):
        self.data.update({target: self.data[source] for source, target in list(pairs)})

    async def delete(self, keys):
        for key in keys:
            for held in [held for held in self.data if held == key or (key.endswith("/") and held.startswith(key))]:
                del self.data[held]

    async def publish(self, staged, target, fence=unfenced):
        moved = {target + key.removeprefix(staged): self.data[key] for key in self.data if key.startswith(staged)}
        late = f"{staged}zarr.json" not in self.data and f"{target}zarr.json" in self.data
        if moved and not late:
            await self.delete([target, staged])
            self.data.update(moved)

    async def unpublish(self, target, trash, fence=unfenced):
        del trash
        await self.delete([target])

    @asynccontextmanager
    async def lock(self):
        lock = LOCKS.setdefault(self.url.location, threading.Lock())
        while not lock.acquire(blocking=False):
            await asyncio.sleep(0)
        try:
            yield
        finally:
            lock.release()


@frozen
class Tens(Partitioning):
    """A partitioning by the integer quotient of a variable."""

    variables: tuple[str, ...]
    divisor: int = field(default=10, kw_only=True)
    dimension: str | None = field(default=None, kw_only=True)

    @property
    def fields(self):
        return (Field("tens"),)

    def keys(self, columns):
        (values,) = columns.values()
        return {"tens": np.floor_divide(values, self.divisor).astype(np.int64)}


register(Shelf, name="shelf")
register(Tens, name="tens")


def make(url, schema, rows, *, axis="time", by=("time",), divisor=10, **options):
    collection = zc.create_collection(url, schema=schema, axis=axis, partitioning=Tens(by, divisor=divisor), **options)
    if rows is not None:
        collection.insert(rows, missing="fill")
    return collection
