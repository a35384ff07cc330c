"""The location of the data to import, on any file system of fsspec; it is never written to."""

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import PurePath, PurePosixPath
from typing import IO, Any, Self

import fsspec
import zarr.abc.store
from attrs import evolve, field, frozen
from zarr.storage import FsspecStore, LocalStore

from zcollection.errors import StoreError
from zcollection.plugin import StoreURL


@frozen
class Place:
    """A directory or a file that is only read.

    Attributes
    ----------
    url
        The URL, for messages and for comparison.
    files
        The file system.
    path
        The path on the file system.
    """

    url: StoreURL
    files: Any = field(eq=False)
    path: str = field(eq=False)

    @classmethod
    def of(cls, old: Any, storage_options: Mapping[str, Any] | None) -> Self:
        """Return the location of a URL or a local path.

        Raises
        ------
        LocationError
            The URL is invalid.
        StoreError
            fsspec cannot open it.
        """
        url = StoreURL.parse(old)
        text = url.location if url.scheme == "file" else f"{url.scheme}://{url.location}"
        try:
            files, path = fsspec.url_to_fs(text, **(storage_options or {}))
        except (ImportError, ValueError, TypeError) as error:
            message = (
                f"{url} cannot be read through fsspec: {error}; install what it needs, or copy the data to a local path"
            )
            raise StoreError(message) from error
        return cls(url, files, path.rstrip("/"))

    def below(self, name: str) -> Self:
        """Return the location of a directory or file under this one."""
        return evolve(self, path=posixpath.join(self.path, name)) if name else self

    @property
    def name(self) -> str:
        """The last part of the path."""
        return posixpath.basename(self.path)

    @property
    def is_file(self) -> bool:
        """Whether the location is a file."""
        return bool(self.files.isfile(self.path))

    def exists(self, name: str = "") -> bool:
        """Return whether the location, or a file or directory under it, exists."""
        return bool(self.files.exists(self.below(name).path))

    def read(self, name: str) -> bytes | None:
        """Return the content of a file under the location; None if there is none."""
        try:
            return bytes(self.files.cat_file(self.below(name).path))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def open(self) -> IO[bytes]:
        """Open the file."""
        opened: IO[bytes] = self.files.open(self.path, "rb")
        return opened

    def directories(self) -> list[str]:
        """Return the names of the directories in the location."""
        listing = self.files.ls(self.path, detail=True)
        return [posixpath.basename(item["name"].rstrip("/")) for item in listing if item["type"] == "directory"]

    def walk(self) -> Iterator[str]:
        """Yield the paths of all files under the location, relative to it."""
        for folder, _, names in self.files.walk(self.path):
            for name in names:
                yield posixpath.relpath(posixpath.join(folder, name), self.path)

    def zarr(self) -> zarr.abc.store.Store:
        """Return the location as a read-only Zarr store."""
        if self.url.scheme == "file":
            return LocalStore(self.path, read_only=True)
        if self.files.async_impl:
            return FsspecStore(self.files, read_only=True, path=self.path)
        from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

        return FsspecStore(AsyncFileSystemWrapper(self.files, asynchronous=True), read_only=True, path=self.path)

    def overlaps(self, other: StoreURL) -> bool:
        """Return whether both locations are the same, or one contains the other."""
        if self.url.scheme != other.scheme:
            return False
        kind = PurePath if self.url.scheme == "file" else PurePosixPath
        one, two = (kind(url.location) for url in (self.url, other))
        return one.is_relative_to(two) or two.is_relative_to(one)
