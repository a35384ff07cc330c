"""What goes wrong with archives and file systems of fsspec, in words, with the next step."""

import struct
import tarfile
import zipfile
import zlib
from typing import Final

from zcollection_store_object.causes import Cause, names_of
from zcollection_store_object.driver import RequestError

ABSENT: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""What file systems raise where there is no such file."""

NO_ARCHIVE: Final = Cause(reason="there is no such archive", advice="check its path")
NO_ZIP: Final = Cause(
    reason="the file is no zip archive, or a damaged one", advice="check its path, or make the archive again"
)
NO_TAR: Final = Cause(
    reason="the file is no tar archive, or a damaged one", advice="check its path, or make the archive again"
)
COMPRESSED: Final = Cause(
    reason="the tar archive is compressed, and could only be read from its beginning each time",
    advice="make it again without compression, or as a zip archive, or unpack it",
)
NO_PARTS: Final = Cause(
    reason="parts of the file cannot be read where it lies",
    advice="have the server answer requests for a Range, or keep a copy: zip::simplecache::https://…",
)
ENCRYPTED: Final = Cause(reason="the archive is encrypted", advice="make it again without a password")
LINKED: Final = Cause(
    reason="the archive has symbolic links instead of files", advice="make it again with what they lead to"
)
CHANGED: Final = Cause(
    reason="the archive is damaged, or was replaced since it was opened",
    advice="open the collection again; if that does not help, make the archive again",
)
UNTOLD: Final = Cause(
    reason="nothing tells whether the archive is replaced while it is read",
    advice="use a zip archive, whose parts have checksums, or a copy on this machine",
)
ONLY_READ: Final = Cause(reason="it is only read", advice="write where its files lie")

_DENIED: Final = Cause(
    reason="access is denied", advice="pass what the link needs in storage_options, under the name of its protocol"
)
_DAMAGED: Final = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, struct.error)


def failure_of(error: Exception) -> RequestError:
    """Return what the error of a library means; of what it says nothing is repeated, for it may hold a credential.

    Examples
    --------
    >>> failure_of(PermissionError("a path")).cause.reason
    'access is denied'
    >>> failure_of(KeyError("an option")).cause.reason
    'fsspec fails with KeyError'
    """
    if isinstance(error, RequestError):
        return error
    if isinstance(error, PermissionError):
        return RequestError(cause=_DENIED)
    if isinstance(error, _DAMAGED):
        return RequestError(cause=CHANGED)
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return RequestError.of_status(status)
    if isinstance(error, OSError):
        return RequestError.of_names(names_of(error))
    reason = f"fsspec fails with {type(error).__name__}"
    return RequestError(cause=Cause(reason=reason, advice="check the URL, and the options of its links"))
