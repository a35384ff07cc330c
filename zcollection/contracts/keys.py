"""Keys and prefixes, checked for the stores that hold them as text."""

from zcollection.contracts.store import StoreURL
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
    return "it has a NUL character" if "\0" in segment else None
