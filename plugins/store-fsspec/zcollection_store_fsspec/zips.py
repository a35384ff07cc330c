"""Zip archives: the directory at the end has a checksum of each file, which detects a replaced archive."""

import calendar
import io
import stat
import struct
import zipfile
from itertools import pairwise
from typing import Final

from zcollection_store_object.driver import RequestError

from zcollection.plugin import Listed
from zcollection_store_fsspec.causes import CHANGED, ENCRYPTED, LINKED, NO_ZIP
from zcollection_store_fsspec.names import key_of
from zcollection_store_fsspec.systems import Parts, Place

_HEAD: Final = struct.Struct("<4s22xHH")
"""The local header of a file: a signature, and at the end the lengths of the name and of the extra field."""

_SIGNATURE: Final = b"PK\3\4"
_LONGEST: Final = 2**16 - 1
"""The largest length of the name and of the extra field, in bytes."""

_IS_ENCRYPTED: Final = 0x1


class Zip:
    """The contents of a zip archive (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).

    A file is read completely, by one request, and compared with its checksum in the directory. If the archive was replaced after
    the directory was read, this is an error.

    Parameters
    ----------
    place
        The archive.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        infos, size = _directory(place)
        starts = sorted({info.header_offset for info in infos})
        self._ends = dict(pairwise([*starts, size]))
        self._infos = {key: info for info in infos if (key := _key(info)) is not None}  # the last of equal names

    @property
    def entries(self) -> list[Listed]:
        """The files, in order of their keys."""
        return [
            Listed(key=key, size=info.file_size, modified=_seconds(info)) for key, info in sorted(self._infos.items())
        ]

    def read(self, key: str, most: int | None) -> bytes:
        """Return at most `most` bytes of a file; raise `KeyError` if there is none."""
        info = self._infos[key]
        if info.flag_bits & _IS_ENCRYPTED:
            raise RequestError(cause=ENCRYPTED)
        if stat.S_ISLNK(info.external_attr >> 16):
            raise RequestError(cause=LINKED)
        start = info.header_offset
        longest = start + _HEAD.size + 2 * _LONGEST + info.compress_size
        data = self._place.part(start, min(self._ends[start], longest))
        signature, *lengths = _HEAD.unpack_from(data)
        if signature != _SIGNATURE:
            raise RequestError(cause=CHANGED)
        packed = io.BytesIO(data[_HEAD.size + sum(lengths) :])
        with zipfile.ZipExtFile(packed, "r", info) as file:
            found = file.read(most)
        if len(found) != (info.file_size if most is None else min(info.file_size, most)):
            raise RequestError(cause=CHANGED)
        return found


def _directory(place: Place) -> tuple[list[zipfile.ZipInfo], int]:
    """Return the directory of an archive, and the size of the archive."""
    parts = Parts(place)
    try:
        with parts.buffered() as file, zipfile.ZipFile(file) as archive:
            return archive.infolist(), parts.size
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError):
        failure = RequestError(cause=NO_ZIP)
    raise failure


def _key(info: zipfile.ZipInfo) -> str | None:
    return None if info.is_dir() else key_of(info.filename)


def _seconds(info: zipfile.ZipInfo) -> float:
    """Return the modification time of a file, as local time of the archiver; some archivers write no month or day."""
    year, month, day, *time = info.date_time
    return float(calendar.timegm((year, min(max(month, 1), 12), max(day, 1), *time, 0, 0, 0)))
