"""Problems of the installed plugins: failures, conflicts, shadowed names, duplicates, unmet requirements."""

import importlib.metadata
import os
import traceback
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from attrs import frozen

from zcollection.cli import verbs
from zcollection.errors import BrokenPluginError, PluginConflictError, ZCollectionError
from zcollection.registry.discovery import Provider, Unavailable, is_allowed
from zcollection.registry.hookspecs import PROJECT, Family
from zcollection.registry.namespace import class_name
from zcollection.registry.registry import Registry, imported

_DISABLED: Final = "ZCOLLECTION_DISABLE_PLUGINS"
_ONLY: Final = "ZCOLLECTION_PLUGINS"
_GROUPS: Final = (PROJECT, verbs.GROUP)


@frozen
class Problem:
    """A problem.

    Attributes
    ----------
    subject
        The object that has the problem, such as ``partitioning 'band'``.
    text
        Description.
    step
        The next step.
    """

    subject: str
    text: str
    step: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}; next step: {self.step}"


@frozen
class Provided:
    """A distribution, and the names that it provides, each as ``<family> <name>``."""

    distribution: str
    version: str
    names: tuple[str, ...]


@frozen
class Disabled:
    """An entry point that an environment variable disables, and the name of that variable."""

    entry_point: str
    distribution: str
    variable: str


@frozen
class Extra:
    """An extra of zcollection that is not completely installed."""

    extra: str
    missing: tuple[str, ...]
    step: str


def provided(registry: Registry) -> list[Provided]:
    """Return the names that each installed distribution provides, sorted by distribution."""
    found: dict[tuple[str, str], list[str]] = {}
    for family in Family:
        for item in registry.providers(family):
            names = found.setdefault((item.distribution or "(registered)", item.version or ""), [])
            names.append(f"{family.value} {item.provides.name}")
    for row in verbs.rows():
        found.setdefault((row.distribution, row.version), []).append(f"{row.family} {row.name}")
    return [Provided(*key, tuple(sorted(names))) for key, names in sorted(found.items())]


def problems(registry: Registry) -> list[Problem]:
    """Return all problems of the installed plugins."""
    return [
        *_failures(registry),
        *_conflicts(registry),
        *_shadows(registry),
        *_commands(),
        *_duplicates(),
        *_requirements(),
    ]


def disabled(registry: Registry) -> list[Disabled]:
    """Return the entry points that environment variables disable."""
    only = bool(os.environ.get(_ONLY, "").strip())
    blocked = _names(_DISABLED)
    unavailable = [item for item in registry.inventory.unavailable if item.error is None]
    by_name = [
        Disabled(
            item.entry_point,
            item.distribution,
            _ONLY if only and not blocked & {"*", item.entry_point, item.distribution} else _DISABLED,
        )
        for item in unavailable
    ]
    commands = [
        Disabled(entry.name, entry.dist.name, _DISABLED if blocked & {"*", entry.name, entry.dist.name} else _ONLY)
        for entry in importlib.metadata.entry_points(group=verbs.GROUP)
        if entry.dist is not None and not is_allowed(entry)
    ]
    return [*by_name, *commands]


def notes() -> Iterator[str]:
    """Yield notes on names in environment variables that match no installed entry point or distribution."""
    entries = [entry for group in _GROUPS for entry in importlib.metadata.entry_points(group=group)]
    known = {"*", *(entry.name for entry in entries), *(entry.dist.name for entry in entries if entry.dist is not None)}
    for variable in (_DISABLED, _ONLY):
        for name in sorted(_names(variable) - known):
            yield f"{variable} names {name!r}, which is neither an installed entry point nor an installed distribution"


def extras() -> list[Extra]:
    """Return the extras of zcollection with missing distributions, without extras that only combine others."""
    required = _required_by_extras()
    found = []
    for extra, names in required.items():
        smaller = [other for other in required.values() if other < names]
        missing = sorted(name for name in names.difference(*smaller) if _version_of(name) is None)
        if missing:
            found.append(Extra(extra, tuple(missing), f"pip install 'zcollection[{extra}]'"))
    return found


def _required_by_extras() -> dict[str, set[str]]:
    """Return the distributions that each extra of zcollection adds, by the name of the extra."""
    from packaging.requirements import Requirement

    kernel = importlib.metadata.distribution(PROJECT)
    optional = [
        item for item in map(Requirement, kernel.requires or ()) if item.marker is not None and item.name != PROJECT
    ]
    return {
        extra: {item.name for item in optional if item.marker is not None and item.marker.evaluate({"extra": extra})}
        for extra in kernel.metadata.get_all("Provides-Extra") or ()
    }


def step_for(error: BaseException, distribution: str) -> str:
    """Return the next step for a plugin that failed."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"pip install the library that provides the module {error.name!r}, or reinstall {distribution}"
    if isinstance(error, TypeError) and "Provides" in str(error):
        return f"upgrade zcollection: {distribution} was written for a later release"
    return f"run: zcollection plugins check {distribution}; then reinstall it, or report it to its author"


def _failures(registry: Registry) -> Iterator[Problem]:
    for item in registry.inventory.unavailable:
        if item.error is not None:
            yield _failure(item, item.error)
    for family in Family:
        for provider in registry.providers(family):
            if provider.distribution is not None:
                yield from _broken(provider)


def _failure(item: Unavailable, error: Exception) -> Problem:
    subject = f"plugin {item.entry_point!r} of {item.distribution} {item.version}"
    return Problem(subject, _last_line(error), step_for(error, item.distribution))


def _broken(provider: Provider) -> Iterator[Problem]:
    try:
        imported(provider)
    except BrokenPluginError as error:
        subject = f"{provider.family.noun} {provider.provides.name!r} of {provider.source} {provider.version}"
        cause = error.__cause__
        if cause is not None:
            yield Problem(subject, _last_line(cause), step_for(cause, provider.source))
        else:
            text, _, step = str(error).rpartition("; ")
            yield Problem(subject, text, step)


def _conflicts(registry: Registry) -> Iterator[Problem]:
    for family in Family:
        by_name: dict[str, list[Provider]] = {}
        for provider in registry.providers(family):
            by_name.setdefault(provider.provides.name, []).append(provider)
        for name, providers in by_name.items():
            if len(providers) > 1:
                yield _conflict(f"{family.noun} {name!r}", [provider.source for provider in providers])


def _conflict(subject: str, sources: Sequence[str]) -> Problem:
    text = f"it is provided by {', '.join(sources)}, and therefore cannot be used"
    if len(set(sources)) == 1:
        return Problem(subject, f"{text} (twice by one distribution)", f"report it to the author of {sources[0]}")
    return Problem(subject, text, f"{_DISABLED}={sources[-1]} (or another of them), or pip uninstall {sources[-1]}")


def _shadows(registry: Registry) -> Iterator[Problem]:
    for family in Family:
        providers = registry.providers(family)
        yield from _shadowed_aliases(family, providers)
        yield from _shadowed_classes(family, sorted({provider.provides.name for provider in providers}))


def _shadowed_aliases(family: Family, providers: Sequence[Provider]) -> Iterator[Problem]:
    for older in providers:
        for newer in providers:
            if newer is older or newer.source == older.source:
                continue
            taken = {newer.provides.name} & {*older.provides.aliases}
            for name in sorted(taken):
                yield Problem(
                    f"{family.noun} {name!r} of {newer.source}",
                    f"it shadows the older name {name!r} of {older.provides.name!r} of {older.source}: collections that "
                    f"store the older name are opened with the other class",
                    f"{_DISABLED}={newer.source} for such collections, or ask its author for another name",
                )
            shared = {*newer.provides.aliases} & {*older.provides.aliases}
            if shared and older.source < newer.source:
                for name in sorted(shared):
                    yield _conflict(f"{family.noun} {name!r}, an older name", [older.source, newer.source])


def _shadowed_classes(family: Family, names: Sequence[str]) -> Iterator[Problem]:
    for at, name in enumerate(names):
        first = next(other for other in names[: at + 1] if class_name(other) == class_name(name))
        if first != name:
            yield Problem(
                f"{family.noun} {name!r}",
                f"its class has the name {class_name(name)} in zcollection.{_MODULES[family]}, like that of {first!r}, which "
                f"shadows it",
                f"import the class from its package, or disable the provider of {first!r} with {_DISABLED}",
            )


_MODULES: Final = {
    Family.PARTITIONING: "partitioning",
    Family.MERGE: "merge",
    Family.STORE: "store",
    Family.VIEW: "computation",
}


def _commands() -> Iterator[Problem]:
    for name, found in verbs.added().items():
        sources = [entry.dist.name if entry.dist is not None else "" for entry in found]
        try:
            verbs.loaded(name, found)
        except PluginConflictError:
            if name in verbs.BUILT_IN:
                text = f"it is provided by {', '.join(sources)}, and is built into zcollection, whose command runs"
                yield Problem(
                    f"command {name!r}", text, f"{_DISABLED}={sources[0]}, or ask its author for another name"
                )
            else:
                yield _conflict(f"command {name!r}", sources)
        except BrokenPluginError as error:
            cause = error.__cause__ or error
            yield Problem(f"command {name!r} of {sources[0]}", _last_line(cause), step_for(cause, sources[0]))


def _duplicates() -> Iterator[Problem]:
    """Yield distributions that are installed more than once: Python imports the first one on `sys.path`."""
    found: dict[str, list[Distribution]] = {}
    for item in distributions():
        if any(entry.group in _GROUPS for entry in item.entry_points):
            found.setdefault(item.name.lower().replace("_", "-"), []).append(item)
    for name, several in sorted(found.items()):
        # The path may contain a directory twice, for instance as "" and by its absolute path.
        places = list(
            dict.fromkeys(f"{item.version} in {Path(str(item.locate_file(''))).resolve()}" for item in several)
        )
        if len(places) > 1:
            text = f"it is installed {len(places)} times: {places[0]} shadows {', '.join(places[1:])}"
            yield Problem(
                f"distribution {name}", text, f"pip uninstall {name} until no copy is left, and install it again"
            )


def _requirements() -> Iterator[Problem]:
    """Yield requirements of plugins that are not installed, or not in a suitable version."""
    from packaging.requirements import Requirement

    for item in _plugins():
        for text in item.requires or ():
            requirement = Requirement(text)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            version = _version_of(requirement.name)
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                state = "is not installed" if version is None else f"is installed in version {version}"
                yield Problem(
                    f"distribution {item.name} {item.version}",
                    f"it requires {str(requirement)!r}, and {requirement.name} {state}",
                    f"pip install --upgrade {item.name} '{requirement}'",
                )


def _plugins() -> list[Distribution]:
    entries = [entry for group in _GROUPS for entry in importlib.metadata.entry_points(group=group)]
    found = {entry.dist.name: entry.dist for entry in entries if entry.dist is not None}
    return [found[name] for name in sorted(found)]


def _version_of(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _names(variable: str) -> set[str]:
    return {name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()}


def _last_line(error: BaseException) -> str:
    """Return the last line of the traceback, and the source line that raised the error."""
    last = traceback.format_exception_only(error)[-1].strip()
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith("<")]
    place = f" ({own[-1].filename}, line {own[-1].lineno})" if own and not isinstance(error, ZCollectionError) else ""
    return f"{last}{place}"
