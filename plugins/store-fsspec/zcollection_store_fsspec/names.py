"""The names of files in archives, as keys."""

import posixpath


def key_of(name: str) -> str | None:
    """Return the key of a file of an archive; None where its name leads out of it.

    Examples
    --------
    >>> key_of("./altimetry//zarr.json"), key_of("../x"), key_of("/x")
    ('altimetry/zarr.json', None, None)
    """
    key = posixpath.normpath(name)
    return None if key.startswith(("/", "../")) or key in {"..", "."} else key
