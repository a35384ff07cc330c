"""A local cache of objects, identified by the etags of the server: outdated bytes are never returned."""

import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from zcollection_store_fsspec.systems import Once, Place

CACHED_PROTOCOLS: Final = frozenset({"abfs", "adl", "az", "gcs", "gs", "s3", "s3a"})
"""Protocols of object storage, whose servers change the etag of an object whenever its bytes change."""

_TAGS: Final = ("ETag", "etag", "generation")
_SERVER: Final = ("endpoint_url", "account_name", "account_host")
"""Attributes of file systems that identify their server."""


class ObjectCache:
    """A cache of objects in a folder; each read requests the current etag from the server.

    Parameters
    ----------
    folder
        A permanent folder, shared by processes; None for a temporary folder of this process.
    """

    def __init__(self, folder: str | None) -> None:
        self._given = folder
        self._folder = Once(self._made)

    def _made(self) -> Path:
        if self._given is None:
            folder = tempfile.mkdtemp(prefix="zcollection-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            return Path(folder)
        path = Path(self._given).expanduser()
        path.mkdir(parents=True, exist_ok=True)
        return path

    def read(self, place: Place) -> bytes:
        """Return the current bytes of an object, from the cache if possible.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        """
        info = place.info
        tag = _tag(info)
        file = self._folder.get() / _name(place, tag)
        found = _contents(file)
        if found is not None and len(found) == info["size"]:
            return found
        data = place.read()
        if tag is not None and _tag(place.info) == tag:  # otherwise it was replaced during the read
            _write(file, data)
        return data


def _tag(info: Mapping[str, Any]) -> str | None:
    """Return the etag and size of an object; None if they do not identify its bytes."""
    found = next((str(info[name]) for name in _TAGS if info.get(name)), "")
    return None if not found or found.startswith("W/") else f"{found} {info['size']}"


def _name(place: Place, tag: str | None) -> str:
    """Return the name of a cache file: a hash of the server, the object and its etag."""
    server = [str(getattr(place.system, name, "")) for name in _SERVER]
    text = "\0".join([type(place.system).__name__, *server, place.path, str(tag)])
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _contents(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _write(file: Path, data: bytes) -> None:
    """Write a file atomically, also with concurrent writers."""
    descriptor, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(descriptor, "wb") as written:
        written.write(data)
    try:
        Path(name).replace(file)
    except PermissionError:  # on Windows: another process reads that file, which has the same bytes
        Path(name).unlink()
        if not file.is_file():
            raise
