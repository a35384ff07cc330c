"""Opens a location that may contain a collection or a view."""

from collections.abc import Mapping
from typing import Any

from zcollection.collection import stores
from zcollection.collection.collection import Collection
from zcollection.collection.stores import Location
from zcollection.contracts.store import Mode
from zcollection.contracts.transactional import At
from zcollection.errors import CollectionNotFoundError, SettingError
from zcollection.view.view import View


async def open_either(
    url_or_store: Location,
    *,
    mode: Mode = "r",
    at: At = None,
    base: Location | Collection | None = None,
    storage_options: Mapping[str, Any] | None = None,
    base_options: Mapping[str, Any] | None = None,
) -> Collection | View:
    """Open the collection or the view that is stored at a location.

    Parameters
    ----------
    url_or_store, mode, storage_options
        As for `zcollection.open_collection`.
    at
        The version to read, as for `zcollection.open_collection` and `zcollection.open_view`. A view is combined with
        the newest version of its base, unless `base` is opened at an older one.
    base, base_options
        The base of a view, as for `zcollection.open_view`; a collection has none.

    Raises
    ------
    CollectionNotFoundError
        There is neither a collection nor a view, or the base that the view refers to does not exist.
    SettingError
        There is no version `at`, or `base` or `base_options` are given for a collection.
    """
    store = await stores.open_store(url_or_store, mode=mode, storage_options=storage_options)
    try:
        found = await Collection._open(store, mode=mode, at=at, storage_options=None)  # noqa: SLF001 - its own package
    except CollectionNotFoundError:
        if await stores.kind_at(store) != "view":
            raise
        return await View.open_async(store, mode=mode, at=at, base=base, base_options=base_options)
    if base is not None or base_options:
        message = (
            f"a base, or options of one, for the collection at {store.url}, which has none; accepted: only for views"
        )
        raise SettingError(message)
    return found
