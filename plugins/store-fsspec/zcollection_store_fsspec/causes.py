"""The failures of archives and file systems of fsspec, each with a reason in words and the next step."""

import struct
import tarfile
import zipfile
import zlib
from typing import Final

from zcollection_store_object.causes import Cause, error_names
from zcollection_store_object.driver import RequestError

ABSENT: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""The exceptions of file systems for a missing file."""

NO_ARCHIVE: Final = Cause(reason="there is no such archive", advice="check its path")
NO_ZIP: Final = Cause(
    reason="the file is not a zip archive, or is damaged", advice="check its path, or create the archive again"
)
NO_TAR: Final = Cause(
    reason="the file is not a tar archive, or is damaged", advice="check its path, or create the archive again"
)
COMPRESSED: Final = Cause(
    reason="the tar archive is compressed, and does not allow random access",
    advice="create it again without compression, or as a zip archive, or unpack it",
)
NO_PARTS: Final = Cause(
    reason="the server does not support reading parts of the file",
    advice="enable Range requests on the server, or use a local copy: zip::simplecache::https://…",
)
ENCRYPTED: Final = Cause(reason="the archive is encrypted", advice="create it again without a password")
LINKED: Final = Cause(
    reason="the archive has symbolic links instead of files", advice="create it again with the files that they refer to"
)
CHANGED: Final = Cause(
    reason="the archive is damaged, or was replaced since it was opened",
    advice="open the collection again; if that does not help, create the archive again",
)
UNDETECTABLE: Final = Cause(
    reason="a replacement of the archive during reading cannot be detected",
    advice="use a zip archive, whose parts have checksums, or a copy on this machine",
)
ONLY_READ: Final = Cause(reason="the store is read-only", advice="write to the original location of its files")

_DENIED: Final = Cause(
    reason="access is denied", advice="pass what the link needs in storage_options, under the name of its protocol"
)
_DAMAGED: Final = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, struct.error)


def failure_of(error: Exception) -> RequestError:
    """Return the failure for an exception of a library; its text is not repeated, because it may contain a credential.

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
        return RequestError.of_error_text(error_names(error))
    reason = f"fsspec fails with {type(error).__name__}"
    return RequestError(cause=Cause(reason=reason, advice="check the URL, and the options of its links"))
