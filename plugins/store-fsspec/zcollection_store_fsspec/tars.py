"""Tar archives: files have no checksums, so that the archive itself must be seen to be the same."""

import posixpath
import tarfile
from collections.abc import Mapping
from typing import Any, Final

from zcollection_store_object.driver import RequestError

from zcollection.plugin import Listed
from zcollection_store_fsspec.causes import CHANGED, COMPRESSED, NO_TAR, UNTOLD
from zcollection_store_fsspec.names import key_of
from zcollection_store_fsspec.systems import Parts, Place

_TELLING: Final = (
    *("ETag", "etag", "generation", "VersionId", "Last-Modified", "LastModified", "last_modified"),
    *("mtime", "created", "ino"),
)
"""What file systems say of a file by which another one is known in its place."""

_COMPRESSED: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
_LINKS: Final = 40
"""Links that are followed from one name to the next."""


class Tar:
    """What a tar archive holds, as long as it is not replaced.

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
        """Return the bytes of a file, or so many of one that has more; a `KeyError` where there is none."""
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
        """Raise where the archive is another one than it was: what was read may be of either."""
        if _identity(self._place) != self._identity:
            raise RequestError(cause=CHANGED)

    def _file(self, key: str) -> tarfile.TarInfo | None:
        """Return the member that has the bytes of a key, which may be a link to another one."""
        for _ in range(_LINKS):
            member = self._members.get(key)
            if member is None or not (member.islnk() or member.issym()):
                return member if member is not None and member.isreg() and not member.issparse() else None
            target = member.linkname if member.islnk() else posixpath.join(posixpath.dirname(key), member.linkname)
            key = key_of(target) or ""
        return None


def _identity(place: Place) -> Mapping[str, Any]:
    info = place.info
    found = {name: info[name] for name in ("size", *_TELLING) if info.get(name) is not None}
    if len(found) < 2:
        raise RequestError(cause=UNTOLD)
    return found


def _members(file: Any) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        return archive.getmembers()


def _directory(place: Place) -> dict[str, tarfile.TarInfo]:
    """Return the members of an archive by their keys; of one name the last holds."""
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
