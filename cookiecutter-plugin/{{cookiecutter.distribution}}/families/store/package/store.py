"""The store of ``{{ cookiecutter.name }}://`` URLs."""

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Final, Self

import anyio
from anyio import to_thread
from attrs import field, frozen
from zcollection.plugin import (
    Created,
    Fence,
    KeyStore,
    Listed,
    Mode,
    Read,
    StoreError,
    StoreURL,
    check_keys,
    check_prefixes,
    listing,
    unfenced,
)

from {{ cookiecutter.module }}.archive import Archive, Contents, StoredObject, entries, try_lock

_GROUP: Final = "zarr.json"
"""The document of a group; a staged group without it was already published, and then partly removed."""


@frozen(kw_only=True)
class {{ cookiecutter.__class }}(KeyStore):
    """A collection in one zip file, for sending it, or for file systems that handle many small files badly.

    Every change rewrites the entire file, so it suits collections that are written in few inserts and fit in memory.

    Attributes
    ----------
    url
        ``{{ cookiecutter.name }}:///path/of/the/file.zip``.
    path
        Absolute path of the file; next to it are two empty files for the locks of writers.
    read_only
        Whether every write raises an error.
    """

    has_lock: ClassVar[bool] = True  # so that no fence is needed

    url: StoreURL = field(eq=str)
    path: str = field(repr=False)
    read_only: bool

    # YOUR IDEA: a store needs only these methods; `KeyStore` documents their requirements.

    @classmethod
    async def open(cls, url: StoreURL, *, mode: Mode) -> Self:  # type: ignore[override]  # it has no options
        """Return the store of a file, which may be missing.

        Parameters
        ----------
        url
            Its location is a path, taken literally.
        mode
            "r" or "rw".

        Raises
        ------
        StoreError
            The URL has parameters, or is not a path.
        """
        if url.query or "\0" in url.location:
            message = f"{url} has parameters or a NUL character; accepted: the path of a file, of any name"
            raise StoreError(message)
        return cls(url=url, path=os.path.abspath(url.location), read_only=mode == "r")

    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the object does not exist."""
        check_keys(self.url, *(read.key for read in reads))
        contents = await self._contents()
        return [read.part(contents[read.key].data if read.key in contents else None) for read in reads]

    async def put(self, items: Mapping[str, bytes]) -> None:
        """Write all objects atomically."""
        check_keys(self.url, *items)

        def write(contents: Contents) -> bool:
            contents.update({key: StoredObject(bytes(data)) for key, data in items.items()})
            return bool(items)

        await self._change(write)

    async def create(self, key: str, data: bytes) -> Created:
        """Write an object unless the key exists; changes run one after another, so exactly one caller creates it."""
        check_keys(self.url, key)

        def write(contents: Contents) -> bool:
            return contents.setdefault(key, created := StoredObject(bytes(data))) is created

        return "created" if await self._change(write) else "exists"

    async def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List the current entries under a prefix."""
        if prefix:
            check_prefixes(self.url, prefix)
        contents = await self._contents()
        for entry in listing(entries(contents, prefix), prefix, after=after, recursive=recursive):
            yield entry

    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy objects."""
        requested = tuple(pairs)
        check_keys(self.url, *(key for pair in requested for key in pair))

        def write(contents: Contents) -> bool:
            for source, target in requested:
                if source not in contents:
                    message = f"cannot copy {source!r} in {self.url}: there is no such object; run the operation again"
                    raise StoreError(message)
                contents[target] = StoredObject(contents[source].data)
            return bool(requested)

        await self._change(write)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; a key that ends with "/" deletes every object under it."""
        requested = tuple(keys)
        check_keys(self.url, *(key.removesuffix("/") for key in requested))

        def write(contents: Contents) -> bool:
            return any([_remove(contents, key) for key in requested])  # a list, so that all are removed

        await self._change(write)

    async def publish(self, staged: str, target: str, fence: Fence = unfenced) -> None:
        """Replace the group under `target` with the staged group, atomically."""
        check_prefixes(self.url, staged, target)

        def write(contents: Contents) -> bool:
            moved = {target + key.removeprefix(staged): contents[key] for key in contents if key.startswith(staged)}
            exists = any(key.startswith(target) for key in contents)
            if not moved and not exists:
                message = f"cannot publish {target!r} in {self.url}: nothing is staged at {staged!r}; stage it again"
                raise StoreError(message)
            if not moved or (f"{target}{_GROUP}" in contents and f"{target}{_GROUP}" not in moved):
                return False
            _remove(contents, staged)
            _remove(contents, target)
            contents.update(moved)
            return True

        await self._change(write)

    async def unpublish(self, target: str, trash: str, fence: Fence = unfenced) -> None:
        """Delete the group under `target`."""
        check_prefixes(self.url, target, trash)
        await self._change(lambda contents: _remove(contents, target))

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Hold the lock of the writers; a wait for it does not block the event loop."""
        self.check_writable()
        while (descriptor := try_lock(f"{self.path}.writing")) is None:
            await anyio.sleep(0.005)
        try:
            yield
        finally:
            os.close(descriptor)

    async def _contents(self) -> Contents:
        return await to_thread.run_sync(Archive(self.url, self.path).read)

    async def _change(self, write: Callable[[Contents], bool]) -> bool:
        self.check_writable()
        return await to_thread.run_sync(Archive(self.url, self.path).change, write)


def _remove(contents: Contents, key: str) -> bool:
    """Remove an object, or all objects under a prefix, and return whether any existed."""
    found = [name for name in contents if name == key or (key.endswith("/") and name.startswith(key))]
    for name in found:
        del contents[name]
    return bool(found)
