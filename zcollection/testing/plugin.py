"""The conformance suite of an installed plugin distribution."""

from typing import ClassVar

from zcollection.cli import plugin_checks
from zcollection.cli.plugin_checks import Installed
from zcollection.testing.suite import Suite


class PluginSuite(Suite):
    """Conformance of an installed plugin distribution.

    ``zcollection plugins check`` makes the same checks without a test.

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

    def test_its_entry_points_say_family_and_name(self) -> None:
        """The group is ``zcollection``, and the name ``<family>-<name>``."""
        _check("entry-points", self._installed())

    def test_every_hook_is_one_that_the_kernel_calls(self) -> None:
        """Its module imports, every hook has a specification, and every hook yields names."""
        _check("hooks", self._installed())

    def test_its_classes_are_written_for_contracts_of_this_kernel(self) -> None:
        """Each class was written for a version of its contract that the installed zcollection has."""
        _check("contracts", self._installed())

    def test_every_name_leads_to_a_class_of_its_family(self) -> None:
        """The targets can be imported, and satisfy the contract."""
        _check("targets", self._installed())

    def test_its_names_are_known_without_importing_what_they_name(self) -> None:
        """Importing the plugin's module loads neither a heavy library nor an implementation."""
        _check("imports", self._installed())

    def test_it_says_with_which_kernels_it_works(self) -> None:
        """The requirement on zcollection has a lower and an upper bound, and no exact version."""
        _check("kernels", self._installed())

    def test_its_readme_documents_each_name(self) -> None:
        """The README mentions every name, written as `code`."""
        _check("readme", self._installed())

    def test_every_name_has_a_summary(self) -> None:
        """Each name has a summary of one line, which ``zcollection plugins`` shows."""
        _check("summaries", self._installed())

    def test_it_is_typed(self) -> None:
        """Its packages have a ``py.typed``."""
        _check("types", self._installed())

    def test_it_imports_only_what_is_public(self) -> None:
        """A plugin imports only public modules of the kernel, such as ``zcollection.plugin``; all others may change."""
        _check("privacy", self._installed())

    def test_what_needs_no_arguments_survives_json(self) -> None:
        """An object created without arguments equals the one restored from its configuration as JSON."""
        _check("defaults", self._installed())

    def test_its_commands_can_be_called(self) -> None:
        """Each command can be imported, and is a function that Typer accepts."""
        _check("commands", self._installed())

    def _installed(self) -> Installed:
        return plugin_checks.installed(self.distribution)


def _check(name: str, item: Installed) -> None:
    problems = [finding.message for finding in plugin_checks.CHECKS[name](item) if finding.is_problem]
    assert not problems, "\n".join(problems)
