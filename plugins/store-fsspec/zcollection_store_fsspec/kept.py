"""Objects that are kept on this machine, each with what the server says of its bytes: old ones are never given out for new."""

import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from zcollection_store_fsspec.systems import Once, Place

KEPT: Final = frozenset({"abfs", "adl", "az", "gcs", "gs", "s3", "s3a"})
"""Protocols of object storage: its servers give an object another tag whenever its bytes are others."""

_TAGS: Final = ("ETag", "etag", "generation")
_SERVER: Final = ("endpoint_url", "account_name", "account_host")
"""Attributes of file systems that say which server they ask."""


class Kept:
    """Objects in a folder; the server is asked each time for the tag of what it has.

    Parameters
    ----------
    folder
        Where they are kept for other processes and later ones; None for a folder of this process alone, removed with it.
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
        """Return the bytes of an object as the server has them now, from the folder where that has them.

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
        if tag is not None and _tag(place.info) == tag:  # else it was replaced meanwhile, and the bytes are of either
            _write(file, data)
        return data


def _tag(info: Mapping[str, Any]) -> str | None:
    """Return what a server says of the bytes of an object; None where that is not enough to know them again."""
    found = next((str(info[name]) for name in _TAGS if info.get(name)), "")
    return None if not found or found.startswith("W/") else f"{found} {info['size']}"


def _name(place: Place, tag: str | None) -> str:
    """Return what a file is called: by the server, the object and its tag."""
    server = [str(getattr(place.system, name, "")) for name in _SERVER]
    text = "\0".join([type(place.system).__name__, *server, place.path, str(tag)])
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _contents(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _write(file: Path, data: bytes) -> None:
    """Write a file that appears whole, whoever else writes it."""
    descriptor, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(descriptor, "wb") as written:
        written.write(data)
    try:
        Path(name).replace(file)
    except PermissionError:  # on Windows: another process reads that file, which has the same bytes
        Path(name).unlink()
        if not file.is_file():
            raise
