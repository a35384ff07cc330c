"""Tar archives: files have no checksums, so that the identity of the archive is checked instead."""

import posixpath
import tarfile
from collections.abc import Mapping
from typing import Any, Final

from zcollection_store_object.driver import RequestError

from zcollection.plugin import Listed
from zcollection_store_fsspec.causes import CHANGED, COMPRESSED, NO_TAR, UNDETECTABLE
from zcollection_store_fsspec.names import key_of
from zcollection_store_fsspec.systems import Parts, Place

_IDENTIFYING: Final = (
    *("ETag", "etag", "generation", "VersionId", "Last-Modified", "LastModified", "last_modified"),
    *("mtime", "created", "ino"),
)
"""The information of file systems that changes when a file is replaced."""

_COMPRESSED: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
_LINKS: Final = 40
"""The largest number of links that are followed."""


class Tar:
    """The contents of a tar archive; an error if it is replaced.

    Parameters
    ----------
    place
        The archive.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._identity = _identity(place)
        self._members = _directory(place)
        self._check()

    @property
    def entries(self) -> list[Listed]:
        """The files, in order of their keys."""
        found = ((key, self._file(key)) for key in sorted(self._members))
        return [Listed(key=key, size=file.size, modified=float(file.mtime)) for key, file in found if file is not None]

    def read(self, key: str, most: int | None) -> bytes:
        """Return at most `most` bytes of a file; raise `KeyError` if there is none."""
        file = self._file(key)
        if file is None:
            raise KeyError(key)
        size = file.size if most is None else min(file.size, most)
        data = self._place.part(file.offset_data, file.offset_data + size) if size else b""
        self._check()
        if len(data) != size:
            raise RequestError(cause=CHANGED)
        return data

    def _check(self) -> None:
        """Raise if the archive was replaced since it was opened."""
        if _identity(self._place) != self._identity:
            raise RequestError(cause=CHANGED)

    def _file(self, key: str) -> tarfile.TarInfo | None:
        """Return the member with the bytes of a key, following links."""
        for _ in range(_LINKS):
            member = self._members.get(key)
            if member is None or not (member.islnk() or member.issym()):
                return member if member is not None and member.isreg() and not member.issparse() else None
            target = member.linkname if member.islnk() else posixpath.join(posixpath.dirname(key), member.linkname)
            key = key_of(target) or ""
        return None


def _identity(place: Place) -> Mapping[str, Any]:
    info = place.info
    found = {name: info[name] for name in ("size", *_IDENTIFYING) if info.get(name) is not None}
    if len(found) < 2:
        raise RequestError(cause=UNDETECTABLE)
    return found


def _members(file: Any) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        return archive.getmembers()


def _directory(place: Place) -> dict[str, tarfile.TarInfo]:
    """Return the members of an archive by key; the last of several members with the same name is used."""
    with Parts(place).buffered() as file:
        is_compressed = file.read(6).startswith(_COMPRESSED)
        file.seek(0)
        try:
            members = _members(file)
        except tarfile.TarError:
            failure = RequestError(cause=COMPRESSED if is_compressed else NO_TAR)
        else:
            return {
                key: member for member in members if (key := key_of(member.name)) is not None and not member.isdir()
            }
    raise failure
