"""Common command-line arguments, and opening the collection that they name."""

import json
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from zcollection.collection.collection import Collection
from zcollection.contracts.store import Mode
from zcollection.errors import CollectionNotFoundError
from zcollection.portal import synchronous
from zcollection.view.either import open_either
from zcollection.view.view import View

URL = Annotated[str, typer.Argument(metavar="URL", help="URL of the collection, or a local path.")]
StorageOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--storage-option",
        metavar="KEY=VALUE",
        help='Option of the store; repeat it for more. A VALUE that is valid JSON (true, 3, "3") is parsed as JSON.',
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Base = Annotated[
    str | None,
    typer.Option("--base", metavar="URL", help="For a view: URL of its base, if not the stored one."),
]
BaseOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--base-option", metavar="KEY=VALUE", help="For a view: option of the store of its base; repeat it for more."
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="VERSION",
        help="Read an older version: its number or the id of its snapshot, a tag, or a time. A view is read over the newest "
        "version of its base.",
    ),
]
Filter = Annotated[
    str | None,
    typer.Option("--filter", metavar="EXPR", help="Expression over the keys, such as 'year == 2024 and month < 3'."),
]
Where = Annotated[
    str | None,
    typer.Option("--where", metavar="EXPR", help="Condition on rows, such as \"time >= '2024-01-03' and flag == 0\"."),
]
Variables = Annotated[
    list[str] | None,
    typer.Option("--variables", metavar="NAME[,NAME…]", help="Variables, by their paths; all by default."),
]


def open_to_read(url: str, options: Iterable[str] | None, *, at: str | None = None) -> Collection:
    """Return the collection at a URL, open for reading; `at` is a version, as for `open_source`.

    Raises
    ------
    typer.BadParameter
        A storage option is not of the form ``KEY=VALUE``.
    ZCollectionError
        The collection cannot be opened, or is a view.
    """
    return _collection(url, "r", options, at=at)


def open_to_write(url: str, options: Iterable[str] | None) -> Collection:
    """Return the collection at a URL, open for reading and writing; raises as `open_to_read`."""
    return _collection(url, "rw", options)


def open_source(
    url: str,
    options: Iterable[str] | None,
    base: str | None = None,
    base_options: Iterable[str] | None = None,
    *,
    mode: Mode = "r",
    at: str | None = None,
) -> Collection | View:
    """Return the collection or the view at a URL; the base of a view is opened too.

    Parameters
    ----------
    url, options
        The collection or the view, and options of its store.
    base, base_options
        For a view: URL of its base, and options of the store of the base.
    mode
        "r" or "rw".
    at
        The version, by its number or the id of its snapshot, a tag or a time; None for the newest.

    Raises
    ------
    typer.BadParameter
        An option is not of the form ``KEY=VALUE``.
    ZCollectionError
        The collection or view cannot be opened.
    """
    opened: Collection | View = synchronous(open_either)(
        url, mode=mode, at=at, base=base, storage_options=options_of(options), base_options=options_of(base_options)
    )
    return opened


def _collection(url: str, mode: Mode, options: Iterable[str] | None, *, at: str | None = None) -> Collection:
    found = open_source(url, options, mode=mode, at=at)
    if isinstance(found, Collection):
        return found
    message = (
        f"there is a view at {found.store.url}, and this command accepts only collections; the base of the view is the "
        f"collection at {found.base.store.url}: pass that URL"
    )
    raise CollectionNotFoundError(message)


def options_of(pairs: Iterable[str] | None) -> dict[str, Any]:
    """Return the options of a store; raises as `open_to_read`."""
    return dict(map(_option, pairs or ()))


def names_of(options: Iterable[str] | None) -> list[str] | None:
    """Return names from repeated options, or separated by commas; None if there are none."""
    return [name.strip() for text in options for name in text.split(",") if name.strip()] if options else None


def _option(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        # The message does not show the text: it may be a secret.
        message = "an option without KEY or without '='; accepted: KEY=VALUE, such as anon=true"
        raise typer.BadParameter(message, param_hint="--storage-option")
    return key, _value(value)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
