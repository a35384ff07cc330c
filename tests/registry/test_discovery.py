import logging
import sys

import pytest
from distributions import PARTITIONING, hook

from zcollection.errors import BrokenPluginError
from zcollection.registry.discovery import discover
from zcollection.registry.hookspecs import Family

GOOD = hook("partitionings", 'Provides("band", target="MODULE_impl:Band", summary="By band")')


def install_good(site, name="good"):
    return site.install(name, ["partitioning-band"], GOOD, impl=PARTITIONING.format(name="Band"))


def test_a_name_is_known_without_importing_its_implementation(site):
    module = install_good(site)
    inventory = discover(site.entry_points)
    (provider,) = inventory.providers
    assert (provider.family, provider.provides.name, provider.distribution, provider.version) == (
        *(Family.PARTITIONING, "band", "good", "1.0"),
    )
    assert module in sys.modules
    assert f"{module}_impl" not in sys.modules


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("raise SystemError('broken')", "SystemError: broken"),
        ("x = (", "SyntaxError"),
        (
            hook("partitionings", "5"),
            "TypeError: zcollection_partitionings() yields 5; accepted: zcollection.plugin.Provides",
        ),
        (hook("partitionings", 'Provides("x", target="no colon")'), "ValueError"),
        (hook("partitionnings", 'Provides("x", target="a:B")'), "unknown hook 'zcollection_partitionnings'"),
        (GOOD.replace("():", "(session):"), "session"),
    ],
)
def test_a_failure_of_a_plugin_is_recorded_and_affects_no_other(site, caplog, source, status):
    site.install("bad", ["partitioning-bad"], source)
    install_good(site)
    with caplog.at_level(logging.WARNING, logger="zcollection"):
        inventory = discover(site.entry_points)
    assert [provider.provides.name for provider in inventory.providers] == ["band"]
    (failure,) = inventory.unavailable
    assert (failure.entry_point, failure.distribution) == ("partitioning-bad", "bad")
    assert failure.status.startswith("failed: ")
    assert status in failure.status
    assert "plugin partitioning-bad of bad failed" in caplog.text


def test_a_failure_is_raised_if_strict(site, monkeypatch):
    site.install("bad", ["partitioning-bad"], "import no_such_library")
    monkeypatch.setenv("ZCOLLECTION_STRICT_PLUGINS", "1")
    with pytest.raises(BrokenPluginError, match="'partitioning-bad' of bad failed: ModuleNotFoundError"):
        discover(site.entry_points)


@pytest.mark.parametrize(
    ("variable", "value", "names"),
    [
        ("ZCOLLECTION_DISABLE_PLUGINS", "one", ["two"]),
        ("ZCOLLECTION_DISABLE_PLUGINS", "other, partitioning-one", ["two"]),
        ("ZCOLLECTION_DISABLE_PLUGINS", "*", []),
        ("ZCOLLECTION_DISABLE_PLUGINS", "", ["one", "two"]),
        ("ZCOLLECTION_PLUGINS", "two", ["two"]),
        ("ZCOLLECTION_PLUGINS", "partitioning-one,two", ["one", "two"]),
    ],
)
def test_environment_variables_select_plugins(site, monkeypatch, variable, value, names):
    for name in ("one", "two"):
        site.install(name, [f"partitioning-{name}"], hook("partitionings", f'Provides("{name}", target="x:{name}")'))
    monkeypatch.setenv(variable, value)
    inventory = discover(site.entry_points)
    assert [provider.provides.name for provider in inventory.providers] == names
    assert {item.status for item in inventory.unavailable} <= {"disabled"}
    assert len(inventory.providers) + len(inventory.unavailable) == 2


def test_two_entry_points_of_one_name_are_both_seen(site):
    install_good(site, "one")
    install_good(site, "two")
    assert [provider.distribution for provider in discover(site.entry_points).providers] == ["one", "two"]


def test_one_distribution_may_provide_several_families(site):
    source = hook("partitionings", 'Provides("a", target="x:A")') + hook("stores", 'Provides("b", target="x:B")')
    site.install("many", ["partitioning-a"], source)
    assert [provider.family for provider in discover(site.entry_points).providers] == [
        Family.PARTITIONING,
        Family.STORE,
    ]


def test_a_plugin_listed_twice_is_asked_for_each_entry_point(site):
    site.install("twice", ["partitioning-a", "partitioning-b"], hook("partitionings", 'Provides("a", target="x:A")'))
    inventory = discover(site.entry_points)
    assert not inventory.unavailable
