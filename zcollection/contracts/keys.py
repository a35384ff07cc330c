"""Keys and prefixes, checked for the stores that hold them as text, and listings folded into what lies directly below."""

from collections.abc import Iterable, Iterator

from zcollection.contracts.objects import Listed
from zcollection.contracts.url import StoreURL
from zcollection.errors import StoreError


def check_keys(url: StoreURL, *keys: str) -> None:
    """Refuse what is not the key of an object below the root.

    Parameters
    ----------
    url
        Of the store, for the message.
    *keys
        Names joined by "/".

    Raises
    ------
    StoreError
        A key leaves the root, or has a part that no name may be.
    """
    for key in keys:
        problem = next(filter(None, map(_problem, key.split("/"))), None)
        if problem is not None:
            message = f"key {key!r} is refused by {url}: {problem}; accepted: names joined by '/'"
            raise StoreError(message)


def check_prefixes(url: StoreURL, *prefixes: str) -> None:
    """Refuse what is not a prefix below the root.

    Parameters
    ----------
    url
        Of the store, for the message.
    *prefixes
        Names, each followed by "/".

    Raises
    ------
    StoreError
        A prefix leaves the root, or does not end with "/".
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
    return None if segment.isprintable() else "it has a control character, or one that is none"


def listing(objects: Iterable[Listed], prefix: str, *, after: str, recursive: bool) -> Iterator[Listed]:
    """Yield what `KeyStore.list` is to yield, from all objects below a prefix.

    Parameters
    ----------
    objects
        Entries of the objects, sorted by key.
    prefix, after, recursive
        As given to `KeyStore.list`.

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
