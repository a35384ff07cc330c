"""The plugins that the collections and views below a URL need, and whether each can be used."""

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve, frozen

from zcollection import portal
from zcollection.cli.plugin_doctor import Problem
from zcollection.collection import stores
from zcollection.collection.stores import open_store, versioning_of
from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore, Store
from zcollection.contracts.url import StoreURL
from zcollection.errors import PluginConfigurationError, PluginError, UnknownPluginError, ZCollectionError
from zcollection.portal import synchronous
from zcollection.registry import stored
from zcollection.registry.hookspecs import Family
from zcollection.registry.registry import REGISTRY
from zcollection.registry.stored import StoredForm
from zcollection.transaction.documents import CONFIGURATION, Configuration

DEPTH: Final = 4
"""Default number of levels of folders that are searched."""

_ZARR: Final = ("zarr.json", ".zgroup", ".zarray")


@frozen
class RequiredPlugin:
    """A plugin that a collection or a view needs.

    Attributes
    ----------
    family, name
        Family and name of the plugin.
    provided_by
        The distribution that provides it, if known.
    error
        The reason why it cannot be used; None if it can.
    step
        The next step; None if it can be used.
    """

    family: str
    name: str
    provided_by: str | None = None
    error: str | None = None
    step: str | None = None


@frozen
class Inspected:
    """A collection or view, with the plugins that it needs.

    Attributes
    ----------
    url
        Its URL.
    kind
        ``collection`` or ``view``.
    needs
        The plugins that it needs.
    """

    url: str
    kind: str
    needs: tuple[RequiredPlugin, ...]


@frozen
class Inspection:
    """The collections and views at and below a URL.

    Attributes
    ----------
    collections
        The collections and views.
    problems
        Missing plugins, and collections that cannot be read.
    not_searched
        Folders that were not searched, because they are deeper than the requested depth.
    """

    collections: tuple[Inspected, ...]
    problems: tuple[Problem, ...]
    not_searched: tuple[str, ...]


def inspect(url: str, options: Mapping[str, Any], *, depth: int = DEPTH) -> Inspection:
    """Find the collections and views at and below a URL, and the plugins that they need.

    Parameters
    ----------
    url
        URL or local path of a collection, a view, or a folder of them.
    options
        Options of the store.
    depth
        Number of levels of folders that are searched.
    """
    inspected: list[Inspected] = []
    problems: list[Problem] = []
    try:
        urls, not_searched = synchronous(_collections_below)(url, options, depth)
    except ZCollectionError as error:
        return Inspection((), (_unreadable(url, error),), ())
    for found in urls:
        try:
            inspected.append(synchronous(_inspect)(found, options))
        except ZCollectionError as error:
            problems.append(_unreadable(f"{found.url if isinstance(found, Store) else found}", error))
    if not urls:
        deeper = f", or search deeper than --depth {depth}" if not_searched else ""
        problems.append(
            Problem(
                f"{StoreURL.parse(url)}", "there is no collection at this URL or below it", f"correct the URL{deeper}"
            )
        )
    problems += [_missing(each, need) for each in inspected for need in each.needs if need.error is not None]
    return Inspection(tuple(inspected), tuple(problems), tuple(not_searched))


async def _collections_below(
    url: str, options: Mapping[str, Any], depth: int
) -> tuple[list[StoreURL | Store], list[str]]:
    """Return the locations that contain a configuration, and the folders that are too deep to be searched."""
    store = await open_store(url, mode="r", storage_options=options)
    await portal.on_loop()
    if not isinstance(store, KeyStore) or not store.has_listing:
        return [store], []
    found: list[StoreURL | Store] = []
    not_searched: list[str] = []
    waiting = deque([("", depth)])
    while waiting:
        prefix, left = waiting.popleft()
        (data,) = await store.get([Read(f"{prefix}{CONFIGURATION}")])
        if data is not None:
            found.append(_below(store.url, prefix) if prefix else store)
            continue
        keys = [entry.key async for entry in store.list(prefix)]
        if any(key.removeprefix(prefix) in _ZARR for key in keys):
            continue  # another Zarr hierarchy, which contains no collection
        folders = [key for key in keys if key.endswith("/") and not key.removeprefix(prefix).startswith((".", "_"))]
        if left:
            waiting += [(key, left - 1) for key in folders]
        else:
            not_searched += [f"{_below(store.url, key)}" for key in folders]
    return found, not_searched


def _below(url: StoreURL, prefix: str) -> StoreURL:
    return evolve(url, location=f"{url.location.rstrip('/')}/{prefix.rstrip('/')}")


async def _inspect(where: StoreURL | Store, options: Mapping[str, Any]) -> Inspected:
    store = where if isinstance(where, Store) else await open_store(where, mode="r", storage_options=options)
    await portal.on_loop()
    configuration = await versioning_of(store).load()
    return Inspected(f"{store.url}", configuration.kind, tuple(_needs(configuration, store.url)))


def _needs(configuration: Configuration, url: StoreURL) -> list[RequiredPlugin]:
    found = [_need(Family.PARTITIONING, configuration.partitioning), _store_need(url)]
    if configuration.view is not None:
        found += [_need(Family.VIEW, form) for form in configuration.view.computations]
        if "://" in configuration.view.base or "::" in configuration.view.base:
            found.append(_store_need(StoreURL.parse(configuration.view.base)))
    return list(dict.fromkeys(found))


def _need(family: Family, form: StoredForm) -> RequiredPlugin:
    need = RequiredPlugin(family.value, form.name, form.provided_by)
    try:
        stored.restore(family, form)
    except PluginError as error:
        return evolve(need, error=str(error), step=_step(family, form, error))
    return need


def _step(family: Family, form: StoredForm, error: PluginError) -> str:
    """Return the next step for a strategy that cannot be restored."""
    distribution = (form.provided_by or "").partition(">=")[0]
    for item in REGISTRY.inventory.unavailable:
        if item.distribution == distribution:
            return (
                f"remove {distribution} and {item.entry_point} from ZCOLLECTION_DISABLE_PLUGINS, or name it in ZCOLLECTION_PLUGINS"
                if item.error is None
                else f"zcollection plugins check {distribution}"
            )
    if isinstance(error, PluginConfigurationError) and form.provided_by:
        return f"pip install --upgrade '{form.provided_by}'"
    if isinstance(error, UnknownPluginError):
        return (
            f"pip install '{form.provided_by}'"
            if form.provided_by
            else (
                f"install the plugin that provides it, or register the class of the family {family.value!r} "
                f"that was registered as {form.name!r} when the collection was created"
            )
        )
    return str(error).rpartition("; ")[2]


def _store_need(url: StoreURL) -> RequiredPlugin:
    try:
        cls = stores._store_class(url)  # noqa: SLF001 - the function that opens the collection uses it
    except PluginError as error:
        text, _, step = str(error).rpartition("; ")
        return RequiredPlugin(Family.STORE.value, url.scheme, error=text, step=step)
    return RequiredPlugin(Family.STORE.value, url.scheme, REGISTRY.provider_of(cls).distribution)


def _missing(inspected: Inspected, need: RequiredPlugin) -> Problem:
    text = f"it needs the {need.family} {need.name!r}, which cannot be used: {need.error}"
    return Problem(f"{inspected.kind} {inspected.url}", text, need.step or "")


def _unreadable(url: str, error: Exception) -> Problem:
    text, _, step = str(error).rpartition("; ")
    step = step if text else "correct the URL, or pass the options of its store"
    return Problem(url, f"it cannot be read: {text or error}", step)
