"""Discovery of the installed plugins: import each one and call its hooks; a failure is recorded, and is not fatal."""

import logging
import os
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points

import pluggy
from attrs import frozen

from zcollection.errors import BrokenPluginError
from zcollection.registry import hookspecs
from zcollection.registry.hookspecs import PROJECT, Family, Provides

logger = logging.getLogger(__name__)


@frozen(kw_only=True)
class Provider:
    """A name, and the distribution that provides it.

    Attributes
    ----------
    family
        The family of the name.
    provides
        The declaration of the plugin.
    distribution, version
        Name and version of the distribution; None for a class registered at run time.
    """

    family: Family
    provides: Provides
    distribution: str | None
    version: str | None

    @property
    def source(self) -> str:
        """The distribution, or the function that registered the class, for error messages."""
        return self.distribution or "zcollection.plugin.register"


@frozen(kw_only=True)
class Unavailable:
    """An entry point that is disabled or has failed, and so provides nothing.

    Attributes
    ----------
    entry_point, distribution, version
        Name of the entry point, and name and version of its distribution.
    error
        The error that it raised; None if it is disabled.
    """

    entry_point: str
    distribution: str
    version: str
    error: Exception | None

    @property
    def status(self) -> str:
        """``disabled``, or ``failed: …``."""
        return "disabled" if self.error is None else f"failed: {type(self.error).__name__}: {self.error}"


@frozen
class Inventory:
    """The result of discovery.

    Attributes
    ----------
    providers
        The names that are provided, sorted by family, name and source.
    unavailable
        The entry points that provide nothing, sorted by distribution and name.
    """

    providers: tuple[Provider, ...]
    unavailable: tuple[Unavailable, ...]


def discover(candidates: Iterable[EntryPoint] | None = None) -> Inventory:
    """Import every plugin that is not disabled, and return the names that its hooks yield.

    Parameters
    ----------
    candidates
        Entry points to import; by default all of the group ``zcollection``.

    Raises
    ------
    BrokenPluginError
        A plugin failed, and ``ZCOLLECTION_STRICT_PLUGINS=1``.
    """
    found = entry_points(group=PROJECT) if candidates is None else candidates
    providers: list[Provider] = []
    unavailable: list[Unavailable] = []
    for entry_point in sorted(set(found), key=lambda entry: (_distribution(entry), entry.name, entry.value)):
        if not is_allowed(entry_point):
            unavailable.append(_unavailable(entry_point, None))
            continue
        try:
            providers += _provided_by(entry_point)
        except Exception as error:  # noqa: BLE001 - a plugin may fail in any way, and must not stop the others
            unavailable.append(_failed(entry_point, error))
    providers.sort(key=lambda provider: (provider.family.value, provider.provides.name, provider.source))
    return Inventory(tuple(providers), tuple(unavailable))


def call_hooks(plugin: object, *, name: str) -> list[tuple[Family, Provides]]:
    """Return everything that the hooks of one plugin yield; an exception of a hook is not caught.

    Parameters
    ----------
    plugin
        A module that implements hooks. A hook that the kernel does not call is an error.
    name
        Name of the plugin for error messages.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, name=name)
    manager.check_pending()
    return [(family, item) for family in Family for item in _called(manager, family)]


def _called(manager: pluggy.PluginManager, family: Family) -> Iterator[Provides]:
    for implementation in getattr(manager.hook, family.hook).get_hookimpls():
        for item in implementation.function():
            if not isinstance(item, Provides):
                message = f"{family.hook}() yields {item!r}; accepted: zcollection.plugin.Provides(…)"
                raise TypeError(message)
            yield item


def _provided_by(entry_point: EntryPoint) -> list[Provider]:
    distribution, version = _distribution(entry_point), _version(entry_point)
    provided = call_hooks(entry_point.load(), name=f"{distribution}:{entry_point.name}")
    return [
        Provider(family=family, provides=item, distribution=distribution, version=version) for family, item in provided
    ]


def _failed(entry_point: EntryPoint, error: Exception) -> Unavailable:
    failure = _unavailable(entry_point, error)
    logger.warning("plugin %s of %s %s", failure.entry_point, failure.distribution, failure.status)
    if os.environ.get("ZCOLLECTION_STRICT_PLUGINS", "") not in {"", "0"}:
        message = f"plugin {failure.entry_point!r} of {failure.distribution} {failure.status}"
        raise BrokenPluginError(message) from error
    return failure


def _unavailable(entry_point: EntryPoint, error: Exception | None) -> Unavailable:
    return Unavailable(
        entry_point=entry_point.name,
        distribution=_distribution(entry_point),
        version=_version(entry_point),
        error=error,
    )


def is_allowed(entry_point: EntryPoint) -> bool:
    """Return whether the environment variables allow a plugin to be imported."""
    names = {entry_point.name, _distribution(entry_point)}
    only, blocked = _names("ZCOLLECTION_PLUGINS"), _names("ZCOLLECTION_DISABLE_PLUGINS")
    return "*" not in blocked and not names & blocked and (not only or bool(names & only))


def _names(variable: str) -> set[str]:
    return {name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()}


def _distribution(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist is not None else ""


def _version(entry_point: EntryPoint) -> str:
    return entry_point.dist.version if entry_point.dist is not None else ""
