"""What is installed: every plugin found, imported and asked, each failure recorded and none of them fatal."""

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
    """A name that an installed distribution provides.

    Attributes
    ----------
    family
        Its family.
    provides
        What the plugin says of it.
    distribution, version
        Who provides it; None for a class registered at run time.
    """

    family: Family
    provides: Provides
    distribution: str | None
    version: str | None

    @property
    def source(self) -> str:
        """Who provides it, for messages."""
        return self.distribution or "zcollection.plugin.register"


@frozen(kw_only=True)
class Unavailable:
    """An entry point that provides nothing: disabled, or failed.

    Attributes
    ----------
    entry_point, distribution, version
        Which.
    error
        Why it failed; None when it is disabled.
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
    """What discovery found, sorted by distribution and name."""

    providers: tuple[Provider, ...]
    unavailable: tuple[Unavailable, ...]


def discover(candidates: Iterable[EntryPoint] | None = None) -> Inventory:
    """Import every plugin that the environment allows and ask what it provides.

    Parameters
    ----------
    candidates
        Entry points to look at; those of the group ``zcollection`` by default.

    Raises
    ------
    BrokenPluginError
        A plugin failed and ``ZCOLLECTION_STRICT_PLUGINS=1``.
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


def ask(plugin: object, *, name: str) -> list[tuple[Family, Provides]]:
    """Return all that the hooks of one plugin yield, or raise what it raises.

    Parameters
    ----------
    plugin
        A module that implements hooks; one that the kernel does not call is an error.
    name
        What to call the plugin in messages.
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
    provided = ask(entry_point.load(), name=f"{distribution}:{entry_point.name}")
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
    """Return whether the environment lets a plugin be asked."""
    names = {entry_point.name, _distribution(entry_point)}
    only, blocked = _names("ZCOLLECTION_PLUGINS"), _names("ZCOLLECTION_DISABLE_PLUGINS")
    return "*" not in blocked and not names & blocked and (not only or bool(names & only))


def _names(variable: str) -> set[str]:
    return {name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()}


def _distribution(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist is not None else ""


def _version(entry_point: EntryPoint) -> str:
    return entry_point.dist.version if entry_point.dist is not None else ""
