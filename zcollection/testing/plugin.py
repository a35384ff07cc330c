"""The conformance suite of a distribution: what is installed, before anything of it is used."""

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distribution
from pathlib import Path
from typing import ClassVar

import pytest
from packaging.requirements import Requirement

from zcollection.registry.discovery import Inventory, discover
from zcollection.registry.hookspecs import PROJECT, Family
from zcollection.registry.registry import Registry
from zcollection.testing.suite import Suite

_HEAVY = ("zarr", "obstore", "icechunk", "s3fs", "dask", "xarray", "pandas", "typer", "rich", "botocore", "pyarrow")
_PUBLIC = ("zcollection.plugin", "zcollection.testing")


class PluginSuite(Suite):
    """Conformance of an installed plugin distribution.

    Attributes
    ----------
    distribution
        Its name, as in ``pip install``.

    Examples
    --------
    ::

        class TestPlugin(PluginSuite):
            distribution = "zcollection-partitioning-date"
    """

    distribution: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _nothing_is_disabled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in ("ZCOLLECTION_PLUGINS", "ZCOLLECTION_DISABLE_PLUGINS", "ZCOLLECTION_STRICT_PLUGINS"):
            monkeypatch.delenv(variable, raising=False)

    def test_its_entry_points_say_family_and_name(self) -> None:
        """The group is ``zcollection``, and the name ``<family>-<name>``."""
        families = {family.value for family in Family}
        for entry_point in self._entry_points():
            family, _, name = entry_point.name.partition("-")
            assert family in families, f"{entry_point.name}: accepted families are {sorted(families)}"
            assert name, f"{entry_point.name} has no name after its family"

    def test_every_hook_is_one_that_the_kernel_calls(self) -> None:
        """Its module imports, every hook has a specification, and every hook yields names."""
        inventory = self._inventory()
        assert not inventory.unavailable, [item.status for item in inventory.unavailable]
        assert inventory.providers, "no hook yields a name"

    def test_every_name_leads_to_a_class_of_its_family(self) -> None:
        """The targets import, and satisfy the contract."""
        registry = Registry(self._entry_points())
        for provider in self._inventory().providers:
            for name in (provider.provides.name, *provider.provides.aliases):
                assert issubclass(registry.get(provider.family, name), provider.family.contract)

    def test_its_names_are_known_without_importing_what_they_name(self) -> None:
        """Importing the plugin's module loads neither a heavy library nor an implementation."""
        targets = [provider.provides.target.partition(":")[0] for provider in self._inventory().providers]
        unwanted = {*_HEAVY, *targets} - {entry_point.module for entry_point in self._entry_points()}
        for entry_point in self._entry_points():
            code = f"import sys, {entry_point.module}; print(*sys.modules)"
            loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
            assert not unwanted & set(loaded.split()), f"importing {entry_point.module} loads too much"

    def test_it_says_with_which_kernels_it_works(self) -> None:
        """The requirement on zcollection has a lower and an upper bound, and no exact version."""
        requirements = [Requirement(text) for text in distribution(self.distribution).requires or ()]
        (kernel,) = [item for item in requirements if item.name == PROJECT and item.marker is None]
        operators = {specifier.operator for specifier in kernel.specifier}
        assert {">=", "<"} <= operators, f"the requirement is '{kernel}'; accepted: 'zcollection>=X,<Y'"
        assert "==" not in operators

    def test_its_readme_documents_each_name(self) -> None:
        """Who reads the README learns every name, written as `code`."""
        text = distribution(self.distribution).read_text("METADATA") or ""
        for provider in self._inventory().providers:
            assert f"`{provider.provides.name}" in text, f"`{provider.provides.name}` is not in the README"

    def test_every_name_has_a_summary(self) -> None:
        """``zcollection plugins`` shows one line for each name."""
        for provider in self._inventory().providers:
            assert provider.provides.summary, f"{provider.provides.name} has no summary"
            assert "\n" not in provider.provides.summary

    def test_it_is_typed(self) -> None:
        """Its packages have a ``py.typed``."""
        for folder in self._folders():
            assert (folder / "py.typed").is_file(), f"{folder} has no py.typed"

    def test_it_imports_only_what_is_public(self) -> None:
        """Of the kernel a plugin imports ``zcollection.plugin``: all else may change."""
        for folder in self._folders():
            for file in sorted(folder.rglob("*.py")):
                private = [name for name in _imported(file) if not name.startswith(_PUBLIC)]
                assert not private, f"{file} imports {private}"

    def _entry_points(self) -> list[EntryPoint]:
        found = [item for item in distribution(self.distribution).entry_points if item.group == PROJECT]
        assert found, f"{self.distribution} has no entry point in the group {PROJECT!r}"
        return found

    def _inventory(self) -> Inventory:
        return discover(self._entry_points())

    def _folders(self) -> list[Path]:
        packages = {entry_point.module.partition(".")[0] for entry_point in self._entry_points()}
        specs = [importlib.util.find_spec(package) for package in sorted(packages)]
        return [Path(place) for spec in specs if spec for place in spec.submodule_search_locations or ()]


def _imported(file: Path) -> Iterator[str]:
    """Yield what a file imports of the kernel, wherever it does so."""
    for node in ast.walk(ast.parse(file.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        yield from (name for name in names if name.partition(".")[0] == PROJECT)
