"""Listings of the objects and common prefixes directly under a prefix, computed from recursive listings."""

from collections.abc import Sequence

from zcollection.plugin import Listed


def folded(entries: Sequence[Listed], prefix: str, *, after: str, last: str = "") -> list[Listed]:
    """Return the objects and common prefixes directly under a prefix.

    Parameters
    ----------
    entries
        Entries of a recursive listing of the prefix, sorted by key: all of them, or a page.
    prefix
        "" or ending with "/".
    after
        Only keys greater than this one are returned.
    last
        The last key that was returned for the previous pages.

    Examples
    --------
    >>> [entry.key for entry in folded([Listed(key="a/b"), Listed(key="a/c/d"), Listed(key="a/c/e")], "a/", after="")]
    ['a/b', 'a/c/']
    """
    found: dict[str, Listed] = {}
    for entry in entries:
        head, slash, _ = entry.key.removeprefix(prefix).partition("/")
        key = f"{prefix}{head}/" if slash else entry.key
        if key > after and key != last:
            found.setdefault(key, Listed(key=key) if slash else entry)
    return list(found.values())
