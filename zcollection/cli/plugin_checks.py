"""The checks of an installed plugin distribution that ``zcollection plugins check`` and `PluginSuite` run.

Only the check `defaults` creates objects of the plugin's classes.
"""

import ast
import importlib.util
import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution, entry_points
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

import zcollection
from zcollection.contracts.configurable import Configurable
from zcollection.errors import BrokenPluginError, UnknownPluginError, ZCollectionError, accepted
from zcollection.registry import stored
from zcollection.registry.discovery import Provider, call_hooks
from zcollection.registry.hookspecs import PROJECT, Family
from zcollection.registry.registry import check_contract, imported

COMMANDS: Final = "zcollection.commands"
"""Group of the entry points by which distributions add verbs to the command line."""

_HEAVY: Final = frozenset(
    {
        *(
            "zarr",
            "obstore",
            "icechunk",
            "dask",
            "distributed",
            "xarray",
            "pandas",
            "polars",
            "pyarrow",
            "duckdb",
            "scipy",
        ),
        *(
            "numba",
            "shapely",
            "cartopy",
            "netCDF4",
            "h5py",
            "h5netcdf",
            "fsspec",
            "s3fs",
            "aiohttp",
            "boto3",
            "botocore",
        ),
        *("matplotlib", "bokeh", "typer", "rich", "pytest", "hypothesis"),
    }
)
_PUBLIC: Final = frozenset(
    {
        PROJECT,
        *(
            f"{PROJECT}.{module}"
            for module in ("aio", "cli.plugin", "codecs", "computation", "config", "errors", "merge")
        ),
        *(f"{PROJECT}.{module}" for module in ("partitioning", "plugin", "rows", "testing")),
    }
)
_PROBE: Final = """
import importlib, json, sys
import zcollection.plugin
before = set(sys.modules)
for module in sys.argv[1:]:
    importlib.import_module(module)
print("\\n" + json.dumps(sorted(set(sys.modules) - before)))
"""


@frozen
class Finding:
    """A result of a check: a problem or a note.

    Attributes
    ----------
    message
        What the check found, what is accepted, and the next step.
    is_problem
        False for a note that something could not be checked.
    """

    message: str
    is_problem: bool = True


@frozen(kw_only=True)
class Installed:
    """An installed distribution, and the names that its hooks yield.

    Attributes
    ----------
    distribution
        The metadata of the distribution.
    entry_points, commands
        Its entry points of the groups ``zcollection`` and ``zcollection.commands``.
    providers
        The names that its hooks yield.
    failures
        For each entry point that failed, its name and the error.
    """

    distribution: Distribution = field(eq=False)
    entry_points: tuple[EntryPoint, ...]
    commands: tuple[EntryPoint, ...]
    providers: tuple[Provider, ...]
    failures: tuple[tuple[str, Exception], ...]

    @property
    def name(self) -> str:
        """Name of the distribution."""
        return self.distribution.name

    @property
    def modules(self) -> list[str]:
        """The modules that implement hooks, sorted and without duplicates."""
        return sorted({entry.module for entry in self.entry_points})

    @property
    def folders(self) -> list[Path]:
        """The folders of the top-level packages of the distribution."""
        packages = {entry.module.partition(".")[0] for entry in (*self.entry_points, *self.commands)}
        specs = [importlib.util.find_spec(package) for package in sorted(packages)]
        return [Path(place) for spec in specs if spec for place in spec.submodule_search_locations or ()]


def installed(name: str) -> Installed:
    """Return an installed distribution; the environment variables that disable plugins are ignored.

    Parameters
    ----------
    name
        Name of the distribution, as in ``pip install``.

    Raises
    ------
    UnknownPluginError
        No distribution of this name is installed.
    """
    try:
        found = distribution(name)
    except (PackageNotFoundError, ValueError):
        groups = [entry for group in (PROJECT, COMMANDS) for entry in entry_points(group=group)]
        known = sorted({entry.dist.name for entry in groups if entry.dist is not None})
        message = (
            f"the distribution {name!r} is not installed; {accepted(name, known)}; install it in this environment "
            f"(pip install {name or 'NAME'}, or pip install -e . in its folder)"
        )
        raise UnknownPluginError(message) from None
    plugins = [entry for entry in found.entry_points if entry.group == PROJECT]
    providers, failures = _call_hooks(found, plugins)
    return Installed(
        distribution=found,
        entry_points=tuple(plugins),
        commands=tuple(entry for entry in found.entry_points if entry.group == COMMANDS),
        providers=tuple(providers),
        failures=tuple(failures),
    )


def _call_hooks(found: Distribution, plugins: list[EntryPoint]) -> tuple[list[Provider], list[tuple[str, Exception]]]:
    providers: list[Provider] = []
    failures: list[tuple[str, Exception]] = []
    for entry in plugins:
        try:
            provided = call_hooks(entry.load(), name=f"{found.name}:{entry.name}")
        except Exception as error:  # noqa: BLE001 - a plugin may fail in any way
            failures.append((entry.name, error))
            continue
        providers += [
            Provider(family=family, provides=item, distribution=found.name, version=found.version)
            for family, item in provided
        ]
    return providers, failures


def check_entry_points(item: Installed) -> Iterator[Finding]:
    """Check that entry points have the group ``zcollection`` and the name ``<family>-<name>``, or add commands only."""
    families = [family.value for family in Family]
    if not item.entry_points and not item.commands:
        yield Finding(
            f"{item.name} has no entry point; accepted: one of the group {PROJECT!r} or {COMMANDS!r} in pyproject.toml; "
            f"add it, and install the distribution again"
        )
    for entry in item.entry_points:
        family, _, name = entry.name.partition("-")
        if family not in families:
            yield Finding(f"the entry point {entry.name!r} begins with {family!r}; {accepted(family, families)}")
        elif not name:
            yield Finding(f"the entry point {entry.name!r} has no name after its family; accepted: '{family}-NAME'")


def check_hooks(item: Installed) -> Iterator[Finding]:
    """Check that the module of each entry point can be imported, implements only hooks of the kernel, and yields names."""
    for name, error in item.failures:
        yield Finding(
            f"the entry point {name!r} fails: {type(error).__name__}: {error}; correct its module, and run the check again"
        )
    if item.entry_points and not item.failures and not item.providers:
        hooks = ", ".join(family.hook for family in Family)
        yield Finding(
            f"no hook yields a name; accepted: functions decorated with @hookimpl that yield Provides(…), named {hooks}"
        )


def check_contracts(item: Installed) -> Iterator[Finding]:
    """Check that each class was written for a version of its contract that this kernel accepts."""
    for provider in item.providers:
        try:
            check_contract(provider)
        except BrokenPluginError as error:
            yield Finding(str(error))


def check_targets(item: Installed) -> Iterator[Finding]:
    """Check that the class of each name can be imported, and satisfies the contract of its family."""
    for provider in item.providers:
        if not list(check_contracts(evolve(item, providers=(provider,)))):
            try:
                imported(provider)
            except BrokenPluginError as error:
                yield Finding(str(error))


def check_imports(item: Installed) -> Iterator[Finding]:
    """Check that importing the module with the hooks loads neither a heavy library nor the classes that it provides."""
    if not item.modules or item.failures:
        return
    targets = {provider.provides.target.partition(":")[0] for provider in item.providers}
    unwanted = ({*_HEAVY} | targets) - {*item.modules}
    done = subprocess.run(  # noqa: S603 - this interpreter, and installed modules
        [sys.executable, "-c", _PROBE, *item.modules], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        yield Finding(f"a new process cannot import {', '.join(item.modules)}: {last}; correct the module")
        return
    loaded = json.loads(done.stdout.splitlines()[-1])
    found = sorted(unwanted & set(loaded))
    if found:
        yield Finding(
            f"importing {', '.join(item.modules)} also imports {', '.join(found)}, in every program that uses zcollection; "
            f"accepted: neither heavy libraries nor the classes that the hooks name; import them in the module of the class"
        )


def check_kernels(item: Installed) -> Iterator[Finding]:
    """Check that the requirement on zcollection has a lower and an upper bound, and no exact version."""
    from packaging.requirements import Requirement

    requirements = [Requirement(text) for text in item.distribution.requires or ()]
    kernels = [
        requirement for requirement in requirements if requirement.name == PROJECT and requirement.marker is None
    ]
    operators = {specifier.operator for requirement in kernels for specifier in requirement.specifier}
    if not {">=", "<"} <= operators or "==" in operators or len(kernels) != 1:
        stated = ", ".join(map(repr, map(str, kernels))) or "missing"
        yield Finding(
            f"the requirement on zcollection is {stated}; accepted: one of the form 'zcollection>=X,<Y'; "
            f"declare the supported releases in pyproject.toml"
        )


def check_readme(item: Installed) -> Iterator[Finding]:
    """Check that the README mentions each name, written as `code`."""
    text = item.distribution.read_text("METADATA") or ""
    for provider in item.providers:
        if f"`{provider.provides.name}" not in text:
            yield Finding(
                f"`{provider.provides.name}` is not in the README; describe it there, and set readme in pyproject.toml"
            )


def check_summaries(item: Installed) -> Iterator[Finding]:
    """Check that each name has a one-line summary, which ``zcollection plugins`` shows."""
    for provider in item.providers:
        summary = provider.provides.summary
        if not summary.strip() or "\n" in summary:
            yield Finding(
                f"{provider.provides.name} has the summary {summary!r}; accepted: one line of text, as Provides(…, summary=…)"
            )


def check_types(item: Installed) -> Iterator[Finding]:
    """Check that the packages contain the file ``py.typed``."""
    for folder in item.folders:
        if not (folder / "py.typed").is_file():
            yield Finding(
                f"{folder} has no py.typed; add an empty file of that name, so that type checkers use its annotations"
            )


def check_privacy(item: Installed) -> Iterator[Finding]:
    """Check that it imports only public modules of zcollection; all others may change."""
    for folder in item.folders:
        for file in sorted(folder.rglob("*.py")):
            private = sorted({name for name in _imported(file) if not _is_public(name)})
            if private:
                yield Finding(f"{file} imports {', '.join(private)}; accepted: {', '.join(sorted(_PUBLIC))}")


def check_defaults(item: Installed) -> Iterator[Finding]:
    """Check that an object created without arguments equals the one restored from its configuration as JSON."""
    for provider in item.providers:
        if issubclass(provider.family.contract, Configurable) and not _problems_of(item, provider):
            yield from _check_default(provider.provides.name, imported(provider))


def check_commands(item: Installed) -> Iterator[Finding]:
    """Check that each command can be imported, is a function that Typer accepts, and has a name that no built-in one has."""
    if not item.commands:
        return
    if importlib.util.find_spec("typer") is None:
        yield Finding(
            "commands are checked only if typer is installed: pip install 'zcollection[cli]'", is_problem=False
        )
        return
    from zcollection.cli.verbs import BUILT_IN, loaded

    for entry in item.commands:
        if entry.name in BUILT_IN:
            yield Finding(f"the command {entry.name!r} is built into zcollection; rename it")
            continue
        try:
            loaded(entry.name, [entry])
        except BrokenPluginError as error:
            yield Finding(str(error))


CHECKS: Final[Mapping[str, Callable[[Installed], Iterator[Finding]]]] = {
    "entry-points": check_entry_points,
    "hooks": check_hooks,
    "contracts": check_contracts,
    "targets": check_targets,
    "imports": check_imports,
    "kernels": check_kernels,
    "readme": check_readme,
    "summaries": check_summaries,
    "types": check_types,
    "privacy": check_privacy,
    "defaults": check_defaults,
    "commands": check_commands,
}
"""All checks, by name."""

_NEED_NAMES: Final = frozenset({"contracts", "targets", "imports", "readme", "summaries", "defaults"})
"""The checks that need the names that the hooks yield."""


def run(item: Installed) -> dict[str, list[Finding]]:
    """Run all checks, and return their findings; if a hook fails, a note replaces the checks that need the names."""
    skipped = Finding("not checked, because a hook fails; correct it, and run the check again", is_problem=False)
    return {
        name: [skipped] if item.failures and name in _NEED_NAMES else list(check(item))
        for name, check in CHECKS.items()
    }


def title_of(name: str) -> str:
    """Return the requirement that a check verifies, in one line.

    Examples
    --------
    >>> title_of("readme")
    'the README mentions each name, written as `code`'
    """
    return (CHECKS[name].__doc__ or "").removeprefix("Check that ").removesuffix(".").replace("``", "")


def _problems_of(item: Installed, provider: Provider) -> list[Finding]:
    alone = evolve(item, providers=(provider,))
    return [*check_contracts(alone), *check_targets(alone)]


def _is_public(module: str) -> bool:
    return module in _PUBLIC or module.startswith(f"{PROJECT}.testing.")


def _check_default(name: str, cls: type[Any]) -> Iterator[Finding]:
    parameters = inspect.signature(cls).parameters.values()
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = [each.name for each in parameters if each.default is each.empty and each.kind not in variadic]
    if required:
        yield Finding(
            f"{name} is not checked: it requires {', '.join(required)}; the suite of its family checks it",
            is_problem=False,
        )
        return
    try:
        created = cls()
    except ZCollectionError as error:
        yield Finding(
            f"{name} is not checked: it rejects its defaults: {error}; the suite of its family checks it",
            is_problem=False,
        )
        return
    except Exception as error:  # noqa: BLE001 - a plugin may fail in any way
        yield Finding(
            f"{name} cannot be created without arguments: {type(error).__name__}: {error}; give its fields valid defaults, or none"
        )
        return
    try:
        restored = stored.configure(cls, json.loads(json.dumps(stored.configuration(created))), what=name)
    except Exception as error:  # noqa: BLE001 - a plugin may fail in any way
        yield Finding(
            f"the configuration of {name} cannot be stored as JSON: {type(error).__name__}: {error}; accepted: a frozen attrs class, "
            f"whose fields have the types that docs/plugins/package.md lists"
        )
        return
    if restored != created:
        yield Finding(
            f"{name} is {created!r}, and {restored!r} when it is restored from JSON; accepted: equal objects; store all "
            f"settings in its fields"
        )


def _imported(file: Path) -> Iterator[str]:
    """Yield the modules of zcollection that a file imports, at any level of nesting."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == PROJECT and not node.level:
            # A public name of the package, or one of its modules.
            yield from (
                f"{PROJECT}.{alias.name}" for alias in node.names if alias.name not in {*zcollection.__all__, "*"}
            )
            continue
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        yield from (name for name in names if name.partition(".")[0] == PROJECT)
