"""The registry, which looks up the class of a plugin by its name."""

import importlib
import re
import threading
from collections.abc import Iterable
from importlib.metadata import EntryPoint, version
from types import ModuleType
from typing import Any, TypeVar, cast

from attrs import frozen

from zcollection.errors import BrokenPluginError, PluginConflictError, PluginError, UnknownPluginError, accepted
from zcollection.registry.discovery import Inventory, Provider, call_hooks, discover
from zcollection.registry.hookspecs import PROJECT, Family, Provides
from zcollection.resources import ensure_spare_files, shortage

T = TypeVar("T", bound="type[Any] | ModuleType")

_BUILT_IN = {
    Family.PARTITIONING: ("date", "sequence", "grouped-sequence", "values"),
    Family.MERGE: ("replace", "concat", "time-series", "upsert"),
    Family.STORE: ("file", "memory"),
    Family.VIEW: (),
}


@frozen(kw_only=True)
class Row:
    """A row of the table that the command ``zcollection plugins`` prints.

    Attributes
    ----------
    family, name, distribution, version, summary
        The name, and the distribution that provides it.
    status
        ``ok``, ``disabled``, ``failed: …`` or ``conflict``.
    """

    family: str
    name: str
    distribution: str
    version: str
    status: str
    summary: str


class Registry:
    """The plugins by family and name: installed ones, discovered at the first lookup, and those registered at run time.

    Parameters
    ----------
    candidates
        Entry points of plugins; by default all installed ones.
    """

    def __init__(self, candidates: Iterable[EntryPoint] | None = None) -> None:
        self._candidates = None if candidates is None else tuple(candidates)
        self._lock = threading.RLock()
        self._inventory: Inventory | None = None
        self._registered: dict[tuple[Family, str], tuple[Provider, type[Any]]] = {}
        self._classes: dict[Provider, type[Any]] = {}

    @property
    def inventory(self) -> Inventory:
        """The installed plugins; the first access discovers them."""
        with self._lock:
            if self._inventory is None:
                self._inventory = discover(self._candidates)
            return self._inventory

    def providers(self, family: Family) -> list[Provider]:
        """Return all providers of a family, sorted by name."""
        registered = [provider for (kind, _), (provider, _) in self._registered.items() if kind is family]
        installed = [provider for provider in self.inventory.providers if provider.family is family]
        return sorted([*installed, *registered], key=lambda provider: (provider.provides.name, provider.source))

    def names(self, family: Family) -> list[str]:
        """Return the names of a family, sorted."""
        return sorted({provider.provides.name for provider in self.providers(family)})

    def get(self, family: Family, name: str, *, provided_by: str | None = None) -> type[Any]:
        """Return the class that a name refers to.

        Parameters
        ----------
        family
            Family of the plugin.
        name
            Name of the plugin, or an alias.
        provided_by
            The provider recorded in a stored form: a hint for the error message, which is not parsed.

        Raises
        ------
        UnknownPluginError
            No plugin provides the name.
        PluginConflictError
            Several distributions provide the name.
        BrokenPluginError
            The class was written for another version of its contract, cannot be imported, or is not a subclass of the
            contract.
        """
        matching = [item for item in self.providers(family) if item.provides.name == name]
        matching = matching or [item for item in self.providers(family) if name in item.provides.aliases]
        if not matching:
            raise UnknownPluginError(self._unknown(family, name, provided_by))
        if len(matching) > 1:
            sources = ", ".join(provider.source for provider in matching)
            message = (
                f"{family.noun} {name!r} is provided by several distributions: {sources}; disable all but one of them "
                f"with the environment variable ZCOLLECTION_DISABLE_PLUGINS"
            )
            raise PluginConflictError(message)
        return self._class(matching[0])

    def provider_of(self, cls: type[Any]) -> Provider:
        """Return the provider of a class, whose name is stored for its instances.

        Raises
        ------
        PluginError
            The class is neither provided by an installed plugin nor registered, so that it could not be looked up again.
        """
        package = cls.__module__.partition(".")[0]
        for family in Family:
            if not issubclass(cls, family.contract):
                continue
            for provider in self.providers(family):
                own = provider.distribution is None or provider.provides.target.startswith(package)
                if own and self._class(provider) is cls:
                    return provider
        message = (
            f"{cls.__module__}.{cls.__qualname__} has no name to be stored under; provide it through an entry point, "
            f"or call zcollection.plugin.register() on it"
        )
        raise PluginError(message)

    def register(self, plugin: T, *, name: str | None = None, summary: str = "") -> T:
        """Register a class, or everything that the hooks of a module yield, for this process only.

        It can be used as a class decorator.

        Parameters
        ----------
        plugin
            A class of one of the four families, or a module that implements hooks.
        name
            Name of the plugin (for a store, its URL scheme); by default the name of the class in snake case.
        summary
            Description in one line, for listings.

        Raises
        ------
        PluginError
            The class is not a subclass of a contract.
        PluginConflictError
            An installed distribution provides the name.
        """
        if isinstance(plugin, ModuleType):
            for family, provides in call_hooks(plugin, name=plugin.__name__):
                self._add(family, provides)
        else:
            provides = Provides(name or snake_case(plugin.__name__), target=_target(plugin), summary=summary)
            self._add(_family_of(plugin), provides, plugin)
        return plugin

    def _add(self, family: Family, provides: Provides, cls: type[Any] | None = None) -> None:
        for provider in self.inventory.providers:
            if provider.family is family and provider.provides.name == provides.name:
                message = (
                    f"{family.noun} {provides.name!r} is provided by {provider.source}; register the class under another "
                    f"name"
                )
                raise PluginConflictError(message)
        provider = Provider(family=family, provides=provides, distribution=None, version=None)
        with self._lock:
            self._registered[family, provides.name] = (provider, imported(provider) if cls is None else cls)

    def unregister(self, family: Family, name: str) -> None:
        """Remove a class registered at run time; an unknown name is ignored."""
        with self._lock:
            self._registered.pop((family, name), None)

    def table(self) -> list[Row]:
        """Return a row for each name, and for each entry point that is disabled or has failed."""
        rows = [row for family in Family for row in self._rows(family)]
        for item in self.inventory.unavailable:
            kind, _, name = item.entry_point.partition("-")
            rows.append(
                Row(
                    family=kind,
                    name=name or item.entry_point,
                    distribution=item.distribution,
                    version=item.version,
                    status=item.status,
                    summary="",
                )
            )
        return sorted(rows, key=lambda row: (row.family, row.name, row.distribution))

    def _rows(self, family: Family) -> list[Row]:
        providers = self.providers(family)
        names = [provider.provides.name for provider in providers]
        return [
            Row(
                family=family.value,
                name=provider.provides.name,
                distribution=provider.distribution or "(registered)",
                version=provider.version or "",
                status="conflict" if names.count(provider.provides.name) > 1 else self._status(provider),
                summary=provider.provides.summary,
            )
            for provider in providers
        ]

    def _status(self, provider: Provider) -> str:
        try:
            self._class(provider)
        except BrokenPluginError as error:
            return f"failed: {error.__cause__ or error}"
        return "ok"

    def _class(self, provider: Provider) -> type[Any]:
        registered = self._registered.get((provider.family, provider.provides.name))
        if provider.distribution is None and registered is not None:
            return registered[1]
        with self._lock:
            if provider not in self._classes:
                self._classes[provider] = imported(provider)
            return self._classes[provider]

    def _unknown(self, family: Family, name: str, provided_by: str | None) -> str:
        parts = [f"{family.noun} {name!r} is not installed; {accepted(name, self.names(family))}"]
        dashed = name.replace("_", "-")
        if provided_by:
            parts.append(f"the collection says that it is provided by {provided_by}: install that distribution")
        elif dashed in _BUILT_IN[family]:
            parts.append(f"install it: pip install zcollection-{family.value}-{dashed}")
        else:
            parts.append("install the plugin that provides it, or zcollection.plugin.register() its class again")
        parts += [
            f"plugin {item.entry_point!r} of {item.distribution} is {item.status}"
            for item in self.inventory.unavailable
            if item.entry_point.startswith(f"{family.value}-")
        ]
        return "; ".join(parts)


def _family_of(cls: type[Any]) -> Family:
    family = next((family for family in Family if issubclass(cls, family.contract)), None)
    if family is None:
        contracts = ", ".join(family.contract.__name__ for family in Family)
        message = f"{cls.__qualname__} belongs to no family of plugins; accepted: subclasses of {contracts}"
        raise PluginError(message)
    return family


def snake_case(name: str) -> str:
    """Return the default name of a plugin from the name of its class.

    Examples
    --------
    >>> snake_case("TimeSeries")
    'time_series'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _target(cls: type[Any]) -> str:
    return f"{cls.__module__}:{cls.__qualname__.replace('<locals>', 'locals')}"


def check_contract(provider: Provider) -> None:
    """Check, without importing a class, that it was written for a version of its contract that this kernel accepts.

    Raises
    ------
    BrokenPluginError
        The version is not accepted; the message names the distribution to upgrade.
    """
    family, provides = provider.family, provider.provides
    known = family.contract.contract_versions
    if provides.contract in known:
        return
    kernel = f"zcollection {version(PROJECT)}"
    step = (
        f"upgrade {kernel}, or install an older release of {provider.source}"
        if provides.contract > max(known)
        else f"upgrade {provider.source}, or install an older release than {kernel}"
    )
    message = (
        f"{family.noun} {provides.name!r} is provided by {' '.join(filter(None, [provider.source, provider.version]))}, "
        f"which was written for version {provides.contract} of the contract {family.contract.__name__}; accepted by "
        f"{kernel}: {', '.join(map(str, known))}; {step}"
    )
    raise BrokenPluginError(message)


def imported(provider: Provider) -> type[Any]:
    """Import the class that a plugin provides, and check that it satisfies the contract of its family.

    Raises
    ------
    BrokenPluginError
        The class was written for another version of the contract, cannot be imported, or is not a subclass of it.
    """
    check_contract(provider)
    target = provider.provides.target
    module, _, attribute = target.partition(":")
    ensure_spare_files(module)
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:
        if (scarce := shortage(error)) is not None:
            raise scarce from error
        message = (
            f"{provider.family.noun} {provider.provides.name!r} is provided by {provider.source}, but {target} cannot "
            f"be imported ({type(error).__name__}: {error}); repair or reinstall that distribution"
        )
        raise BrokenPluginError(message) from error
    if not isinstance(found, type) or not issubclass(found, provider.family.contract):
        message = (
            f"{provider.family.noun} {provider.provides.name!r} is provided by {provider.source}, but {target} is not a "
            f"{provider.family.contract.__name__}; report this to the plugin's author"
        )
        raise BrokenPluginError(message)
    return cast("type[Any]", found)


REGISTRY = Registry()
"""The registry of this process."""
