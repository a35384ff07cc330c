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
from zcollection_store_file.lock import held
from zcollection_store_file.system import of_any_length

_BATCH: Final = 1000
"""Entries of a listing that one visit to a worker thread fetches."""


@frozen(kw_only=True)
class FileStore(KeyStore):
    """A directory of a local or mounted file system.

    Attributes
    ----------
    url
        Where.
    root
        Absolute path of the directory.
    read_only
        Whether every write is refused.
    fsync
        Whether writes survive a power cut, and not only the death of their process.
    """

    has_lock: ClassVar[bool] = True
    opens_at_once: ClassVar[bool] = True

    url: StoreURL = field(eq=str)
    root: str = field(repr=False)
    read_only: bool
    fsync: bool = False

    @classmethod
    async def open(cls, url: StoreURL, *, mode: Mode, fsync: bool = False) -> Self:  # type: ignore[override]  # its options are named
        """Return the store in a directory, which need not exist: the first write makes it.

        Parameters
        ----------
        url
            Its location is the path of a directory.
        mode
            "r" or "rw".
        fsync
            Synchronise what is written with the disk.

        Raises
        ------
        LocationError
            The URL has parameters, or no directory can have such a path.
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
        root = StoreURL.of_path(url.location).location  # of a scheme such as "file+x" it is as it was given
        return cls(url=evolve(url, location=root), root=root, read_only=mode == "r", fsync=fsync)

    @property
    def blocking(self) -> Files:
        """Blocking access: files are read where they are decoded."""
        root = of_any_length(self.root)
        return Files(url=self.url, root=root, fsync=self.fsync, check_writable=self.check_writable)

    async def get(self, reads: Sequence[Read]) -> list[bytes | None]:
        """Return the bytes of each read, None where there is no file."""
        return await to_thread.run_sync(self.blocking.get, reads)

    async def put(self, items: Mapping[str, bytes]) -> None:
        """Write files, each complete before it takes its name, in the order given."""
        await to_thread.run_sync(self.blocking.put, items)

    async def stage(self, items: Mapping[str, bytes]) -> None:
        """Write new files that nobody reads before they are published."""
        await to_thread.run_sync(self.blocking.stage, items)

    async def create(self, key: str, data: bytes) -> Created:
        """Write a file unless one exists: a complete one takes the name by a hard link, of which one can succeed."""
        return await to_thread.run_sync(self.blocking.create, key, data)

    async def list(self, prefix: str, *, after: str = "", recursive: bool = False) -> AsyncIterator[Listed]:
        """List files and directories; directories below which no file lies are passed over."""
        entries = self.blocking.list(prefix, after=after, recursive=recursive)
        while batch := await to_thread.run_sync(lambda: [*islice(entries, _BATCH)]):
            for entry in batch:
                yield entry

    async def copy(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Copy files by hard links, or their bytes where the file system refuses links."""
        await to_thread.run_sync(self.blocking.copy, pairs)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete files, and for keys that end with "/" whole directories."""
        await to_thread.run_sync(self.blocking.delete, keys)

    async def flush(self, prefix: str) -> None:
        """Synchronise all below a directory and all directories on the way to it, where `fsync` is on."""
        if self.fsync:
            await to_thread.run_sync(self.blocking.flush, prefix)

    async def check_targets(self, prefixes: Iterable[str]) -> None:
        """Raise `StoreError` where a symbolic link or a file lies in the place of a directory, or on the way to it."""
        await to_thread.run_sync(self.blocking.check_targets, prefixes)

    async def publish(self, staged: str, target: str, fence: Fence = unfenced) -> None:  # noqa: ARG002 - it has a lock
        """Rename the staged directory, or swap it with the one that is there; what was replaced is removed."""
        await to_thread.run_sync(self.blocking.publish, staged, target)

    async def publish_all(self, pairs: Iterable[tuple[str, str]], fence: Fence = unfenced) -> None:  # noqa: ARG002
        """Do so for one directory after the other."""
        await to_thread.run_sync(self.blocking.publish_all, pairs)

    async def replace_all(self, replacements: Iterable[Replacement], fence: Fence = unfenced) -> None:
        """Do so, and rename what was replaced to where it is kept; link it file by file where groups below it stay."""
        given = list(replacements)
        await to_thread.run_sync(self.blocking.replace_all, [item for item in given if not item.spared])
        await super().replace_all([item for item in given if item.spared], fence)

    async def unpublish(self, target: str, trash: str, fence: Fence = unfenced) -> None:  # noqa: ARG002
        """Rename the directory into the trash; the directories on the way to it stay."""
        await to_thread.run_sync(self.blocking.unpublish, target, trash)

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Hold the lock file; every other task, thread and process that wants it waits, without blocking its loop."""
        path = await to_thread.run_sync(self.blocking.lock_path)
        async with held(path, self.url):
            yield
