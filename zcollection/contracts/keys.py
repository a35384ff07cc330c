"""Helpers shared by key-value stores: checks of keys and prefixes, and listings that group keys by common prefix."""

from collections.abc import Iterable, Iterator

from zcollection.contracts.objects import Listed
from zcollection.contracts.url import StoreURL
from zcollection.errors import StoreError


def check_keys(url: StoreURL, *keys: str) -> None:
    """Check that keys are valid keys of objects under the root of a store.

    Parameters
    ----------
    url
        URL of the store, for the error message.
    *keys
        Keys: names joined by "/".

    Raises
    ------
    StoreError
        A key points outside the root, or contains an invalid name.
    """
    for key in keys:
        problem = next(filter(None, map(_problem, key.split("/"))), None)
        if problem is not None:
            message = f"key {key!r} is refused by {url}: {problem}; accepted: names joined by '/'"
            raise StoreError(message)


def check_prefixes(url: StoreURL, *prefixes: str) -> None:
    """Check that prefixes are valid prefixes under the root of a store.

    Parameters
    ----------
    url
        URL of the store, for the error message.
    *prefixes
        Prefixes: names, each followed by "/".

    Raises
    ------
    StoreError
        A prefix points outside the root, or does not end with "/".
    """
    for prefix in prefixes:
        if not prefix.endswith("/"):
            message = f"prefix {prefix!r} is refused by {url}; accepted: names, each followed by '/'"
            raise StoreError(message)
        check_keys(url, prefix[:-1])


def _problem(segment: str) -> str | None:
    if not segment:
        return "it is empty, absolute, or has an empty part"
    if segment in {".", ".."}:
        return f"it has the part {segment!r}"
    return None if segment.isprintable() else "it has a control character or another unprintable character"


def listing(objects: Iterable[Listed], prefix: str, *, after: str, recursive: bool) -> Iterator[Listed]:
    """Yield the entries that `KeyStore.list` yields, from a sorted list of all objects under a prefix.

    Parameters
    ----------
    objects
        Entries of all objects under the prefix, sorted by key.
    prefix, after, recursive
        The arguments of `KeyStore.list`.

    Examples
    --------
    >>> objects = [Listed(key="a/x", size=1), Listed(key="a/y/z", size=2)]
    >>> [entry.key for entry in listing(objects, "a/", after="", recursive=False)]
    ['a/x', 'a/y/']
    """
    last = ""
    for entry in objects:
        head, separator, _ = entry.key.removeprefix(prefix).partition("/")
        shown = f"{prefix}{head}/" if separator and not recursive else entry.key
        if shown > after and shown != last:
            yield entry if shown == entry.key else Listed(key=shown)
        last = shown
