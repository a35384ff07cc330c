"""The conformance suite of an installed plugin distribution."""

from typing import ClassVar

from zcollection.cli import plugin_checks
from zcollection.cli.plugin_checks import Installed
from zcollection.testing.suite import Suite


class PluginSuite(Suite):
    """Conformance of an installed plugin distribution.

    ``zcollection plugins check`` runs the same checks without pytest.

    Attributes
    ----------
    distribution
        Name of the distribution, as in ``pip install``.

    Examples
    --------
    ::

        class TestPlugin(PluginSuite):
            distribution = "zcollection-partitioning-date"
    """

    distribution: ClassVar[str]

    def test_entry_points_are_valid(self) -> None:
        """The group is ``zcollection``, and the name ``<family>-<name>``."""
        _check("entry-points", self._installed())

    def test_hooks_are_valid(self) -> None:
        """The module of the plugin can be imported, every hook has a specification, and the hooks yield names."""
        _check("hooks", self._installed())

    def test_contract_versions_are_accepted(self) -> None:
        """Each class was written for a version of its contract that the installed zcollection accepts."""
        _check("contracts", self._installed())

    def test_targets_satisfy_their_contracts(self) -> None:
        """The targets can be imported, and satisfy the contract."""
        _check("targets", self._installed())

    def test_import_is_cheap(self) -> None:
        """Importing the plugin's module loads neither a heavy library nor an implementation."""
        _check("imports", self._installed())

    def test_zcollection_requirement_is_bounded(self) -> None:
        """The requirement on zcollection has a lower and an upper bound, and no exact version."""
        _check("kernels", self._installed())

    def test_readme_documents_each_name(self) -> None:
        """The README mentions every name, written as `code`."""
        _check("readme", self._installed())

    def test_each_name_has_a_summary(self) -> None:
        """Each name has a one-line summary, which ``zcollection plugins`` shows."""
        _check("summaries", self._installed())

    def test_packages_are_typed(self) -> None:
        """Its packages contain the file ``py.typed``."""
        _check("types", self._installed())

    def test_imports_are_public(self) -> None:
        """A plugin imports only public modules of the kernel, such as ``zcollection.plugin``; all others may change."""
        _check("privacy", self._installed())

    def test_defaults_round_trip_through_json(self) -> None:
        """An object created without arguments equals the one restored from its configuration as JSON."""
        _check("defaults", self._installed())

    def test_commands_are_valid(self) -> None:
        """Each command can be imported, and is a function that Typer accepts."""
        _check("commands", self._installed())

    def _installed(self) -> Installed:
        return plugin_checks.installed(self.distribution)


def _check(name: str, item: Installed) -> None:
    problems = [finding.message for finding in plugin_checks.CHECKS[name](item) if finding.is_problem]
    assert not problems, "\n".join(problems)
