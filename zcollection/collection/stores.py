"""Opens the store at a URL with the plugin of its scheme, and selects the versioning of the store."""

import inspect
import os
from collections.abc import Mapping
from typing import Any

from zcollection import portal
from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore, Mode, Store
from zcollection.contracts.transactional import At, TransactionalStore
from zcollection.contracts.url import LINK, StoreURL
from zcollection.errors import (
    CollectionNotFoundError,
    PluginConfigurationError,
    ReadOnlyError,
    SettingError,
    StoreError,
    UnknownPluginError,
    accepted,
)
from zcollection.model import documents
from zcollection.registry.hookspecs import Family
from zcollection.registry.registry import REGISTRY
from zcollection.transaction.documents import CONFIGURATION, Configuration
from zcollection.transaction.log.versioning import LogVersioning
from zcollection.transaction.native.versioning import NativeVersioning
from zcollection.transaction.versioning import Versioning

Location = str | os.PathLike[str] | StoreURL | Store
"""The location of a collection: a URL, a local path, or an open store."""


async def open_store(url_or_store: Location, *, mode: Mode, storage_options: Mapping[str, Any] | None) -> Store:
    """Return the store at a URL, without creating anything.

    Parameters
    ----------
    url_or_store
        A URL, a local path as a string or as a `pathlib.Path`, or an open store.
    mode
        "r" or "rw".
    storage_options
        Options of the store; unknown ones raise an error.

    Raises
    ------
    PluginError
        The plugin for the URL scheme is missing or broken, or an option is unknown.
    LocationError
        A collection cannot be stored at the URL.
    SettingError
        The mode is neither "r" nor "rw".
    """
    if mode not in {"r", "rw"}:
        message = f"mode={mode!r}; {accepted(mode, ['r', 'rw'])}"
        raise SettingError(message)
    if isinstance(url_or_store, Store):
        store = url_or_store
    else:
        url = StoreURL.parse(url_or_store)
        cls = _store_class(url)
        if not cls.opens_at_once:
            await portal.on_loop()
        store = await cls.open(url, mode=mode, **_known(cls, url, storage_options or {}))
    return store


def versioning_of(store: Store) -> Versioning:
    """Return the versioning of a store: the snapshots of a transactional store, or the kernel's commit log.

    Raises
    ------
    StoreError
        The store is neither a `KeyStore` nor a `TransactionalStore`.
    """
    if isinstance(store, TransactionalStore):
        return NativeVersioning(store)
    if isinstance(store, KeyStore):
        return LogVersioning(store)
    message = f"{store.url} is a {type(store).__name__}; accepted: a KeyStore or a TransactionalStore"
    raise StoreError(message)


async def versioning_at(store: Store, *, mode: Mode, at: At) -> Versioning:
    """Return the versioning for opening a collection, at an older version if `at` is given.

    A transactional store that is opened for reading is fixed at one snapshot.

    Parameters
    ----------
    store
        The store of the collection.
    mode
        "r" or "rw".
    at
        The version to read; None for the newest.

    Raises
    ------
    StoreError, SettingError
        The version does not exist, or is no longer retained.
    ReadOnlyError
        `at` is given and the mode is "rw".
    """
    versioning = versioning_of(store)
    if at is not None and mode == "rw":
        message = f"at={at!r} with mode='rw' for {store.url}; accepted: mode='r', because committed versions are never changed"
        raise ReadOnlyError(message)
    if at is not None:
        await portal.on_loop()
        return await versioning.at(at)
    if isinstance(store, TransactionalStore):
        await portal.on_loop()
        return NativeVersioning(store, await store.current()) if mode == "r" else versioning
    return versioning


async def kind_at(url_or_store: Location, *, storage_options: Mapping[str, Any] | None = None) -> object:
    """Return the kind of what is stored at a location, "collection" or "view", from its configuration document; None if neither is.

    Parameters
    ----------
    url_or_store, storage_options
        As for `open_store`; this function raises the same errors.
    """
    store = await open_store(url_or_store, mode="r", storage_options=storage_options)
    await portal.on_loop()
    if isinstance(store, TransactionalStore):
        data = await store.load_document(CONFIGURATION, snapshot=await store.current())
    else:
        (data,) = await store.get([Read(CONFIGURATION)]) if isinstance(store, KeyStore) else (None,)
    return None if data is None else documents.kind_of(data, what=f"{CONFIGURATION} of {store.url}")


async def load_collection(versioning: Versioning) -> Configuration:
    """Return the configuration of a collection.

    Raises
    ------
    CollectionNotFoundError
        There is no collection, or a view is stored there.
    """
    configuration = await versioning.load()
    if configuration.view is not None:
        message = f"there is a view at {versioning.store.url}, not a collection; open it with open_view()"
        raise CollectionNotFoundError(message)
    return configuration


def _store_class(url: StoreURL) -> type[Store]:
    """Return the store class for a URL scheme, or else for the part of the scheme before "+"."""
    schemes = dict.fromkeys([url.scheme, url.scheme.partition("+")[0]])
    known = REGISTRY.names(Family.STORE)
    scheme = next((scheme for scheme in schemes if scheme in known), url.scheme)
    try:
        cls: type[Store] = REGISTRY.get(Family.STORE, scheme)
    except UnknownPluginError as error:
        named = f"; to open a directory of this name, write './{url}'" if url.location.startswith(LINK) else ""
        message = f"{url} cannot be opened: {error}{named}"
        raise UnknownPluginError(message) from None
    return cls


def _known(cls: type[Store], url: StoreURL, options: Mapping[str, Any]) -> Mapping[str, Any]:
    if not options:
        return options
    parameters = inspect.signature(cls.open).parameters.values()
    if any(item.kind is item.VAR_KEYWORD for item in parameters):
        return options  # the store validates its options itself
    known = sorted(item.name for item in parameters if item.kind is item.KEYWORD_ONLY and item.name != "mode")
    for name in options:
        if name not in known:
            message = f"storage_options of {url} has no option {name!r}; {accepted(name, known)}"
            raise PluginConfigurationError(message)
    return options
