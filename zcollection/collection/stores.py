"""From a URL to an open store, through the registry."""

import inspect
import os
from collections.abc import Mapping
from typing import Any

from zcollection.contracts.store import KeyStore, Mode, Store, StoreURL
from zcollection.errors import PluginConfigurationError, StoreError, UnknownPluginError, accepted
from zcollection.plugins.hookspecs import Family
from zcollection.plugins.registry import REGISTRY


async def open_store(
    url_or_store: str | os.PathLike[str] | Store, *, mode: Mode, storage_options: Mapping[str, Any] | None
) -> KeyStore:
    """Return the store at a URL; this creates nothing.

    Parameters
    ----------
    url_or_store
        A URL, a local path, or a store that is open already.
    mode
        "r" or "rw".
    storage_options
        Options of the store; those that it does not know are refused.

    Raises
    ------
    PluginError
        No plugin, or a broken one, opens such URLs, or an option is unknown.
    StoreError
        The URL or the mode is not valid.
    """
    if mode not in {"r", "rw"}:
        message = f"mode {mode!r}; {accepted(mode, ['r', 'rw'])}"
        raise StoreError(message)
    if isinstance(url_or_store, Store):
        store = url_or_store
    else:
        url = StoreURL.parse(os.fspath(url_or_store))
        cls = _store_class(url)
        store = await cls.open(url, mode=mode, **_known(cls, url, storage_options or {}))
    if not isinstance(store, KeyStore):
        message = f"{store.url} is a {type(store).__name__}; accepted: a KeyStore"
        raise StoreError(message)
    return store


def _store_class(url: StoreURL) -> type[Store]:
    """Return the store of a scheme: of the whole of it, or else of the part before "+"."""
    schemes = dict.fromkeys([url.scheme, url.scheme.partition("+")[0]])
    known = REGISTRY.names(Family.STORE)
    scheme = next((scheme for scheme in schemes if scheme in known), url.scheme)
    try:
        cls: type[Store] = REGISTRY.get(Family.STORE, scheme)
    except UnknownPluginError as error:
        message = f"{url} cannot be opened: {error}"
        raise UnknownPluginError(message) from None
    return cls


def _known(cls: type[Store], url: StoreURL, options: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = inspect.signature(cls.open).parameters.values()
    known = sorted(item.name for item in parameters if item.kind is item.KEYWORD_ONLY and item.name != "mode")
    for name in options:
        if name not in known:
            message = f"storage_options of {url} has no option {name!r}; {accepted(name, known)}"
            raise PluginConfigurationError(message)
    return options
