"""The names of files in archives, as keys."""

import posixpath


def key_of(name: str) -> str | None:
    """Return the key of a file of an archive; None if its name refers outside the archive.

    Examples
    --------
    >>> key_of("./altimetry//zarr.json"), key_of("../x"), key_of("/x")
    ('altimetry/zarr.json', None, None)
    """
    key = posixpath.normpath(name)
    return None if key.startswith(("/", "../")) or key in {"..", "."} else key
