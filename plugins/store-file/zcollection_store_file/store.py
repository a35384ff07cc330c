"""The store of ``file://`` URLs."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import ClassVar, Final, Self

from anyio import to_thread
from attrs import evolve, field, frozen

from zcollection.plugin import (
    Created,
    Fence,
    KeyStore,
    Listed,
    LocationError,
    Mode,
    PluginConfigurationError,
    Read,
    Replacement,
    StoreURL,
    unfenced,
)
from zcollection_store_file.blocking import Files
from zcollection_store_file.lock import locked
from zcollection_store_file.system import of_any_length

_BATCH: Final = 1000
"""Number of entries of a listing that one call on a worker thread returns."""


@frozen(kw_only=True)
class FileStore(KeyStore):
    """A directory of a local or mounted file system.

    Attributes
    ----------
    url
        URL of the collection.
    root
        Absolute path of the directory.
    read_only
        Whether every write is rejected.
    fsync
        Whether writes survive a power failure, and not only the death of the process.
    """

    has_lock: ClassVar[bool] = True
    opens_at_once: ClassVar[bool] = True

    url: StoreURL = field(eq=str)
    root: str = field(repr=False)
    read_only: bool
    fsync: bool = False

    @classmethod
    async def open(cls, url: StoreURL, *, mode: Mode, fsync: bool = False) -> Self:  # type: ignore[override]  # its options are named
        """Return the store of a directory; nothing is created before the first write.

        Parameters
        ----------
        url
            The URL, whose location is the path of a directory.
        mode
            "r" or "rw".
        fsync
            Whether to synchronise each write with the disk.

        Raises
        ------
        LocationError
            The URL has parameters, or its path is invalid.
        PluginConfigurationError
            `fsync` is not a bool.
        """
        if url.query:
            message = (
                f"{url} has parameters: {', '.join(url.query)}; pass options in storage_options, accepted: fsync; a '?' in a "
                f"name is written %3F"
            )
            raise LocationError(message)
        if not isinstance(fsync, bool):
            message = f"fsync={fsync!r} for {url}; accepted: True, False"
            raise PluginConfigurationError(message)
        root = StoreURL.of_path(
            url.location
        ).location  # with a scheme such as "file+x" the location is not normalised yet
        return cls(url=evolve(url, location=root), root=root, read_only=mode == "r", fsync=fsync)

    @property
    def blocking(self) -> Files:
        """Blocking access, with which a file is read in the thread that decodes it."""
        root = of_any_length(self.root)
        return Files(url=self.url, root=root, fsync=self.fsync, check_writable=self.check_writable)

    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where the file does not exist."""
        return await to_thread.run_sync(self.blocking.get, reads)

    async def put(self, items: Mapping[str, bytes]) -> None:
        """Write files in the given order, each atomically by a rename."""
        await to_thread.run_sync(self.blocking.put, items)

    async def stage(self, items: Mapping[str, bytes]) -> None:
        """Write new files that are not read before they are published."""
        await to_thread.run_sync(self.blocking.stage, items)

    async def create(self, key: str, data: bytes) -> Created:
        """Write a file unless it exists: a complete file is linked to the path, which only one caller can do."""
        return await to_thread.run_sync(self.blocking.create, key, data)

    async def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List files and directories; directories without files are skipped."""
        entries = self.blocking.list(prefix, after=after, recursive=recursive)
        while batch := await to_thread.run_sync(lambda: [*islice(entries, _BATCH)]):
            for entry in batch:
                yield entry

    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy files by hard links, or by their bytes where the file system does not support links."""
        await to_thread.run_sync(self.blocking.copy, pairs)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete files, and for keys that end with "/" whole directories."""
        await to_thread.run_sync(self.blocking.delete, keys)

    async def flush(self, prefix: str) -> None:
        """Synchronise all files under a directory, and the directories from it up to the root, if `fsync` is set."""
        if self.fsync:
            await to_thread.run_sync(self.blocking.flush, prefix)

    async def check_targets(self, prefixes: Iterable[str]) -> None:
        """Raise `StoreError` if a prefix is a symbolic link or a file, or if a link in its path leaves the store."""
        await to_thread.run_sync(self.blocking.check_targets, prefixes)

    async def publish(self, staged: str, target: str, fence: Fence = unfenced) -> None:  # noqa: ARG002 - it has a lock
        """Rename the staged directory, or swap it with the existing one, which is then removed."""
        await to_thread.run_sync(self.blocking.publish, staged, target)

    async def publish_all(self, pairs: Iterable[tuple[str, str]], fence: Fence = unfenced) -> None:  # noqa: ARG002
        """Publish directories, one after the other."""
        await to_thread.run_sync(self.blocking.publish_all, pairs)

    async def replace_all(self, replacements: Iterable[Replacement], fence: Fence = unfenced) -> None:
        """Publish or remove directories, and rename the replaced ones; those with spared groups are hard-linked file by file."""
        given = list(replacements)
        await to_thread.run_sync(self.blocking.replace_all, [item for item in given if not item.spared])
        await super().replace_all([item for item in given if item.spared], fence)

    async def unpublish(self, target: str, trash: str, fence: Fence = unfenced) -> None:  # noqa: ARG002
        """Move the directory to the trash; its parent directories remain."""
        await to_thread.run_sync(self.blocking.unpublish, target, trash)

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Hold the lock file; other tasks, threads and processes wait for it without blocking their event loops."""
        path = await to_thread.run_sync(self.blocking.lock_path)
        async with locked(path, self.url):
            yield
