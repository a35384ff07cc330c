"""Tiny plugins for the kernel's own tests: a store over a dictionary, a partitioning by quotient, two merges."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import numpy as np
from attrs import field, frozen

from zcollection.plugin import (
    Fence,
    Field,
    KeyStore,
    Listed,
    MergeStrategy,
    Partitioning,
    Provides,
    Read,
    RowPlan,
    StoreURL,
    hookimpl,
    unfenced,
)


@hookimpl
def zcollection_partitionings():
    yield Provides("quotient", target=f"{__name__}:Quotient")


@hookimpl
def zcollection_merge_strategies():
    yield Provides("append", target=f"{__name__}:Append")
    yield Provides("mean", target=f"{__name__}:Mean")


@hookimpl
def zcollection_stores():
    yield Provides("dict", target=f"{__name__}:DictStore")
    yield Provides("repository", target="repositories:RepositoryStore")


@frozen
class Quotient(Partitioning):
    """Partitions by the whole quotient of a variable."""

    variables: tuple[str, ...]
    divisor: int = field(default=10, kw_only=True)
    dimension: str | None = field(default=None, kw_only=True)

    @property
    def fields(self) -> tuple[Field, ...]:
        return (Field("sign", text=True), Field("quotient"))

    def keys(self, columns: Mapping[str, Any]) -> Mapping[str, Any]:
        (values,) = columns.values()
        return {"sign": np.where(values < 0, "minus", "plus"), "quotient": values // self.divisor}


@frozen
class Append(MergeStrategy):
    """Existing rows, then inserted ones."""

    compares_axis: ClassVar[bool] = False

    def rows(self, existing: Any, inserted: Any) -> RowPlan:
        return RowPlan(np.concatenate([np.arange(len(existing)), ~np.arange(len(inserted))]))


@frozen
class Mean(MergeStrategy):
    """Computes values: the mean of the first row of both sides, in every floating-point variable."""

    def merge(self, existing: Any, inserted: Any, *, axis: str, dimension: str) -> Any:
        both = [dataset for dataset in (existing, inserted) if dataset.sizes[dimension]]
        first = [dataset.isel({dimension: slice(0, 1)}) for dataset in both]
        values = {
            path: sum(one.get_variable(path).to_numpy() for one in first) / len(first)
            if variable.dtype.kind == "f"
            else variable.to_numpy()
            for path, variable in first[0].all_variables().items()
        }
        return type(existing)(existing.schema, values)


_DATA: dict[str, dict[str, bytes]] = {}
_LOCKS: dict[str, threading.Lock] = {}


@frozen(eq=False)
class DictStore(KeyStore):
    """Objects in a dictionary shared by URL, asynchronous only, as an object store is."""

    cross_process: ClassVar[bool] = False
    has_lock: ClassVar[bool] = True

    url: StoreURL
    read_only: bool

    @classmethod
    async def open(cls, url: StoreURL, *, mode: str, colour: str = "none") -> "DictStore":
        del colour  # an option, for the tests of options
        return cls(url, mode == "r")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DictStore) and (self.url, self.read_only) == (other.url, other.read_only)

    def __hash__(self) -> int:
        return hash(str(self.url))

    @property
    def data(self) -> dict[str, bytes]:
        return _DATA.get(self.url.location, {})

    def _writable(self) -> dict[str, bytes]:
        self.check_writable()
        return _DATA.setdefault(self.url.location, {})

    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        await asyncio.sleep(0)
        return [read.part(self.data.get(read.key)) for read in reads]

    async def put(self, items: Mapping[str, bytes]) -> None:
        await asyncio.sleep(0)
        self._writable().update(items)

    async def create(self, key: str, data: bytes) -> str:
        return "created" if self._writable().setdefault(key, data) is data else "exists"

    async def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        found: dict[str, Listed] = {}
        for key, value in self.data.items():
            if key.startswith(prefix):
                head, separator, _ = key.removeprefix(prefix).partition("/")
                shown = prefix + head + "/" if separator and not recursive else key
                found[shown] = Listed(key=shown, size=0 if shown.endswith("/") else len(value))
        for key in sorted(found):
            if key > after:
                yield found[key]

    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        data = self._writable()
        data.update({target: data[source] for source, target in list(pairs)})

    async def delete(self, keys: Iterable[str]) -> None:
        data = self._writable()
        for key in keys:
            for held in [held for held in data if held == key or (key.endswith("/") and held.startswith(key))]:
                del data[held]

    async def publish(self, staged: str, target: str, fence: Fence = unfenced) -> None:
        data = self._writable()
        moved = {target + key.removeprefix(staged): value for key, value in data.items() if key.startswith(staged)}
        late = f"{staged}zarr.json" not in data and f"{target}zarr.json" in data
        if moved and not late:
            await self.delete([target, staged])
            data.update(moved)

    async def unpublish(self, target: str, trash: str, fence: Fence = unfenced) -> None:
        del trash
        await self.delete([target])

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        lock = _LOCKS.setdefault(self.url.location, threading.Lock())
        while not lock.acquire(blocking=False):
            await asyncio.sleep(0.001)
        try:
            yield
        finally:
            lock.release()
