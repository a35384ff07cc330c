"""Zip archives: each file has a checksum in the directory at the end, which tells whether bytes are of the same archive."""

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
"""What stands before the bytes of a file: a signature, and at its end the lengths of the name and of an extra field."""

_SIGNATURE: Final = b"PK\3\4"
_LONGEST: Final = 2**16 - 1
"""Bytes of such a name, and of such a field."""

_IS_ENCRYPTED: Final = 0x1


class Zip:
    """What a zip archive holds (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).

    A file is read whole, by one request, and held against the checksum that the archive's directory has of it: where the
    archive is replaced after its directory was read, that is an error and never data.

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
        self._infos = {key: info for info in infos if (key := _key(info)) is not None}  # of one name the last holds

    @property
    def entries(self) -> list[Listed]:
        """The files, in order of their keys."""
        return [
            Listed(key=key, size=info.file_size, modified=_seconds(info)) for key, info in sorted(self._infos.items())
        ]

    def read(self, key: str, most: int | None) -> bytes:
        """Return the bytes of a file, or so many of one that has more; a `KeyError` where there is none."""
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
    """Return the directory of an archive, and how large the archive is."""
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
    """Return when a file was last changed, as the clock of whoever archived it showed; some write no month or day."""
    year, month, day, *time = info.date_time
    return float(calendar.timegm((year, min(max(month, 1), 12), max(day, 1), *time, 0, 0, 0)))
