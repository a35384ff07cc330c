"""Which plugins the collections and views below a place need, and whether each is installed."""

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
"""How many folders below a place are looked into."""

_ZARR: Final = ("zarr.json", ".zgroup", ".zarray")


@frozen
class Need:
    """A plugin that a collection or a view needs.

    Attributes
    ----------
    family, name
        Which.
    provided_by
        The distribution that provides it, as far as that is known.
    error
        Why it cannot be used; None where it can.
    step
        What to do about that.
    """

    family: str
    name: str
    provided_by: str | None = None
    error: str | None = None
    step: str | None = None


@frozen
class Place:
    """A collection, or a view.

    Attributes
    ----------
    url
        Where it is.
    kind
        ``collection`` or ``view``.
    needs
        The plugins that it needs.
    """

    url: str
    kind: str
    needs: tuple[Need, ...]


@frozen
class Found:
    """What was found at and below some places.

    Attributes
    ----------
    places
        The collections and views.
    problems
        What is missing, and what cannot be read.
    unseen
        Folders that were not looked into, because they are deeper than was asked for.
    """

    places: tuple[Place, ...]
    problems: tuple[Problem, ...]
    unseen: tuple[str, ...]


def needs_of(url: str, options: Mapping[str, Any], *, depth: int = DEPTH) -> Found:
    """Return what the collections and views at and below a URL need.

    Parameters
    ----------
    url
        Of a collection, a view, or a folder of them; a local path too.
    options
        Options of the store.
    depth
        How many folders below it are looked into.
    """
    places: list[Place] = []
    problems: list[Problem] = []
    try:
        urls, unseen = synchronous(_collections_below)(url, options, depth)
    except ZCollectionError as error:
        return Found((), (_unreadable(url, error),), ())
    for found in urls:
        try:
            places.append(synchronous(_place)(found, options))
        except ZCollectionError as error:
            problems.append(_unreadable(f"{found.url if isinstance(found, Store) else found}", error))
    if not urls:
        deeper = f", or look deeper than --depth {depth}" if unseen else ""
        problems.append(
            Problem(f"{StoreURL.parse(url)}", "there is no collection at it or below it", f"correct the URL{deeper}")
        )
    problems += [_missing(place, need) for place in places for need in place.needs if need.error is not None]
    return Found(tuple(places), tuple(problems), tuple(unseen))


async def _collections_below(
    url: str, options: Mapping[str, Any], depth: int
) -> tuple[list[StoreURL | Store], list[str]]:
    """Return the places that have a configuration, and the folders that are too deep."""
    store = await open_store(url, mode="r", storage_options=options)
    await portal.on_loop()
    if not isinstance(store, KeyStore) or not store.has_listing:
        return [store], []
    found: list[StoreURL | Store] = []
    unseen: list[str] = []
    waiting = deque([("", depth)])
    while waiting:
        prefix, left = waiting.popleft()
        (data,) = await store.get([Read(f"{prefix}{CONFIGURATION}")])
        if data is not None:
            found.append(_below(store.url, prefix) if prefix else store)
            continue
        keys = [entry.key async for entry in store.list(prefix)]
        if any(key.removeprefix(prefix) in _ZARR for key in keys):
            continue  # a hierarchy of its own, in which no collection is stored
        folders = [key for key in keys if key.endswith("/") and not key.removeprefix(prefix).startswith((".", "_"))]
        if left:
            waiting += [(key, left - 1) for key in folders]
        else:
            unseen += [f"{_below(store.url, key)}" for key in folders]
    return found, unseen


def _below(url: StoreURL, prefix: str) -> StoreURL:
    return evolve(url, location=f"{url.location.rstrip('/')}/{prefix.rstrip('/')}")


async def _place(where: StoreURL | Store, options: Mapping[str, Any]) -> Place:
    store = where if isinstance(where, Store) else await open_store(where, mode="r", storage_options=options)
    await portal.on_loop()
    configuration = await versioning_of(store).load()
    return Place(f"{store.url}", configuration.kind, tuple(_needs(configuration, store.url)))


def _needs(configuration: Configuration, url: StoreURL) -> list[Need]:
    found = [_need(Family.PARTITIONING, configuration.partitioning), _store_need(url)]
    if configuration.view is not None:
        found += [_need(Family.VIEW, form) for form in configuration.view.computations]
        if "://" in configuration.view.base or "::" in configuration.view.base:
            found.append(_store_need(StoreURL.parse(configuration.view.base)))
    return list(dict.fromkeys(found))


def _need(family: Family, form: StoredForm) -> Need:
    need = Need(family.value, form.name, form.provided_by)
    try:
        stored.restore(family, form)
    except PluginError as error:
        return evolve(need, error=str(error), step=_step(family, form, error))
    return need


def _step(family: Family, form: StoredForm, error: PluginError) -> str:
    """Return what to do about a strategy that cannot be made."""
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
                f"install the plugin that provides it, or register the class that was registered as {form.name!r} when the "
                f"collection was made, of the family {family.value!r}"
            )
        )
    return str(error).rpartition("; ")[2]


def _store_need(url: StoreURL) -> Need:
    try:
        cls = stores._store_class(url)  # noqa: SLF001 - what opens the collection
    except PluginError as error:
        text, _, step = str(error).rpartition("; ")
        return Need(Family.STORE.value, url.scheme, error=text, step=step)
    return Need(Family.STORE.value, url.scheme, REGISTRY.provider_of(cls).distribution)


def _missing(place: Place, need: Need) -> Problem:
    text = f"it needs the {need.family} {need.name!r}, which cannot be used: {need.error}"
    return Problem(f"{place.kind} {place.url}", text, need.step or "")


def _unreadable(url: str, error: Exception) -> Problem:
    text, _, step = str(error).rpartition("; ")
    step = step if text else "correct the URL, or give the options of its store"
    return Problem(url, f"it cannot be read: {text or error}", step)
