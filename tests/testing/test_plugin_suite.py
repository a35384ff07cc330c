"""The suite of distributions passes what is sound, and each of its checks finds the fault that it is there for."""

import importlib
import itertools
import textwrap

import pytest
from attrs import evolve, field, frozen
from distributions import PARTITIONING
from suites import failing

from zcollection.testing import PluginSuite

ENTRY_POINTS = "test_entry_points_are_valid"
HOOKS = "test_hooks_are_valid"
TARGETS = "test_targets_satisfy_their_contracts"
LIGHT = "test_import_is_cheap"
KERNELS = "test_zcollection_requirement_is_bounded"
README = "test_readme_documents_each_name"
SUMMARY = "test_each_name_has_a_summary"
TYPED = "test_packages_are_typed"
PUBLIC = "test_imports_are_public"
CONTRACTS = "test_contract_versions_are_accepted"
DEFAULTS = "test_defaults_round_trip_through_json"
COMMANDS = "test_commands_are_valid"

CHECKS = [name for name in vars(PluginSuite) if name.startswith("test_")]
NUMBERS = itertools.count()

HOOK = """
from zcollection.plugin import Provides, hookimpl

@hookimpl
def zcollection_partitionings():
    yield Provides("band", target=f"{__name__}.impl:Band", summary="By band")
"""


@frozen
class Plugin:
    """What is in a distribution."""

    entry_points: tuple[str, ...] = ("partitioning-band",)
    init: str = HOOK
    impl: str = PARTITIONING.format(name="Band")
    requires: str = "zcollection>=0.1,<1"
    readme: str = "Provides `band`."
    typed: bool = True
    commands: tuple[str, ...] = ()
    name: str = field(factory=lambda: f"sound_or_not_{next(NUMBERS)}")

    def install(self, folder):
        """Write it as an installer leaves it."""
        package = folder / self.name
        package.mkdir()
        package.joinpath("__init__.py").write_text(self.init)
        package.joinpath("impl.py").write_text(self.impl)
        if self.typed:
            package.joinpath("py.typed").touch()
        info = folder / f"{self.name}-1.0.dist-info"
        info.mkdir()
        head = f"Metadata-Version: 2.1\nName: {self.name}\nVersion: 1.0\nRequires-Dist: {self.requires}\n"
        info.joinpath("METADATA").write_text(f"{head}\n{self.readme}\n")
        lines = [f"{entry_point} = {self.name}" for entry_point in self.entry_points]
        commands = ["[zcollection.commands]", *(f"{name} = {self.name}.impl:{name}" for name in self.commands)]
        info.joinpath("entry_points.txt").write_text("\n".join(["[zcollection]", *lines, *commands]))


SOUND = Plugin()


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Return which checks of the suite fail for a distribution that is installed here."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def failing_for(plugin):
        plugin = evolve(plugin, name=f"sound_or_not_{next(NUMBERS)}")
        plugin.install(tmp_path)
        importlib.invalidate_caches()

        class SuiteOfOne(PluginSuite):
            distribution = plugin.name

        return failing(SuiteOfOne, CHECKS)

    return failing_for


def hooked(text, init=HOOK):
    return f"{init}\n{textwrap.dedent(text)}"


FOUND_BY_ONE_CHECK = {
    "no name after the family": (Plugin(entry_points=("partitioning",)), ENTRY_POINTS),
    "no such family": (Plugin(entry_points=("divider-band",)), ENTRY_POINTS),
    "imports the class that it names": (Plugin(init=hooked("from . import impl")), LIGHT),
    "imports a heavy library": (Plugin(init=hooked("import zarr")), LIGHT),
    "works with any kernel": (Plugin(requires="zcollection>=0.1"), KERNELS),
    "works with one kernel": (Plugin(requires="zcollection==0.1"), KERNELS),
    "is not in the README": (Plugin(readme="Provides a partitioning."), README),
    "has no summary": (Plugin(init=HOOK.replace(', summary="By band"', "")), SUMMARY),
    "has a summary of two lines": (Plugin(init=HOOK.replace("By band", r"By band,\nor so")), SUMMARY),
    "is not typed": (Plugin(typed=False), TYPED),
    "imports what is private": (
        Plugin(impl=f"{SOUND.impl}\nfrom zcollection.model.names import normalise_path"),
        PUBLIC,
    ),
    "imports what is private, by the name of the package": (
        Plugin(impl=f"{SOUND.impl}\nfrom zcollection import portal"),
        PUBLIC,
    ),
    "imports what only begins like what is public": (
        Plugin(impl=f"{SOUND.impl}\nimport zcollection.cli.plugin_checks"),
        PUBLIC,
    ),
    "has two requirements on the kernel": (
        Plugin(requires="zcollection>=0.1,<1\nRequires-Dist: zcollection<2"),
        KERNELS,
    ),
    "has none": (Plugin(requires="attrs"), KERNELS),
    "is written for a later contract": (Plugin(init=HOOK.replace("summary", "contract=2, summary")), CONTRACTS),
    "is made otherwise from its configuration": (
        Plugin(
            impl=f"{SOUND.impl}\n    def __eq__(self, other):\n        return self is other\n    __hash__ = object.__hash__"
        ),
        DEFAULTS,
    ),
    "has a field that JSON does not know": (
        Plugin(impl=SOUND.impl.replace("dimension: str | None = None", "dimension: object = object()")),
        DEFAULTS,
    ),
    "cannot be made of its defaults": (
        Plugin(impl=f"{SOUND.impl}\n    def __attrs_post_init__(self):\n        raise OSError"),
        DEFAULTS,
    ),
    "has a command that is none": (Plugin(commands=("nothing",)), COMMANDS),
    "has a command of the kernel's": (Plugin(commands=("insert",)), COMMANDS),
    "names a class of another family": (Plugin(impl="class Band: ..."), TARGETS),
    "names what is not there": (Plugin(impl="class Hand: ..."), TARGETS),
}

FOUND_BY_SEVERAL_CHECKS = {
    "has a hook that nobody calls": (Plugin(init=HOOK.replace("partitionings", "partitionnings")), HOOKS),
    "yields no name": (Plugin(init=HOOK.replace("    yield", "    return\n    yield")), HOOKS),
    "does not import": (Plugin(init="import no_such_library"), HOOKS),
}


def test_what_is_sound_passes(found):
    assert found(SOUND) == set()


@pytest.mark.parametrize(("plugin", "check"), FOUND_BY_ONE_CHECK.values(), ids=FOUND_BY_ONE_CHECK)
def test_a_single_fault_is_found_by_the_one_check_that_is_there_for_it(plugin, check, found):
    assert found(plugin) == {check}


@pytest.mark.parametrize(("plugin", "check"), FOUND_BY_SEVERAL_CHECKS.values(), ids=FOUND_BY_SEVERAL_CHECKS)
def test_a_fault_of_many_consequences_is_found_by_the_check_that_is_there_for_it(plugin, check, found):
    assert check in found(plugin)


def test_every_check_is_there_for_a_fault():
    faults = [*FOUND_BY_ONE_CHECK.values(), *FOUND_BY_SEVERAL_CHECKS.values()]
    assert {check for _, check in faults} == set(CHECKS)
