"""``zcollection plugins check``: what is wrong with an installed distribution, what is accepted, and an exit code."""

import json

import pytest
from distributions import PARTITIONING, Site, hook

from zcollection.cli.plugin_checks import CHECKS

BAND = hook("partitionings", 'Provides("band", target="MODULE_impl:Band", summary="By band")')


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Site(tmp_path)


def install(
    site, source=BAND, name="by-band", requires="zcollection>=2026.12,<2028", readme="The partitioning `band`."
):
    module = site.install(name, ["partitioning-band"], source, impl=PARTITIONING.format(name="Band"))
    metadata = next(site.folder.glob(f"{name.replace('-', '_')}-*.dist-info")) / "METADATA"
    metadata.write_text(f"{metadata.read_text()}Requires-Dist: {requires}\n\n{readme}\n")
    return module


def test_a_sound_distribution_passes_every_check(command, site):
    install(site)
    done = command("plugins", "check", "by-band")
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line.split()[1].rstrip(":") for line in lines[:-1] if line.startswith("ok")] == [*CHECKS]
    assert lines[-1] == "by-band 1.0: nothing is wrong"


def test_json_says_what_it_provides_and_what_each_check_found(command, site):
    install(site, requires="zcollection>=2026.12")
    done = command("plugins", "check", "by-band", "--json")
    assert done.code == 1
    found = json.loads(done.out)
    assert (found["distribution"], found["version"], found["problems"]) == ("by-band", "1.0", 1)
    (provided,) = found["provides"]
    assert (provided["family"], provided["name"], provided["contract"]) == ("partitioning", "band", 1)
    checks = {check["name"]: check for check in found["checks"]}
    assert checks.keys() == CHECKS.keys()
    assert all(check["requires"] for check in checks.values())
    assert [name for name, check in checks.items() if check["problems"]] == ["kernels"]
    (problem,) = checks["kernels"]["problems"]
    assert "'zcollection>=2026.12'; accepted: one of the form 'zcollection>=X,<Y'" in problem


@pytest.mark.parametrize(
    ("source", "wrong", "message"),
    [
        ("import no_such_library", "hooks", "ModuleNotFoundError: No module named 'no_such_library'"),
        (BAND.replace("impl:Band", "impl:Bend"), "targets", "cannot be imported"),
        (
            BAND.replace("summary=", "contract=9, summary="),
            "contracts",
            "written for version 9 of the contract Partitioning",
        ),
        ("import xarray\n" + BAND, "imports", "xarray, in every program that uses zcollection"),
        (BAND.replace('summary="By band"', 'summary=""'), "summaries", "accepted: one line of text"),
        (BAND.replace('"band", target', '"stripe", target'), "readme", "`stripe` is not in the README"),
    ],
)
def test_a_problem_is_named_with_what_is_accepted(command, site, source, wrong, message):
    install(site, source)
    done = command("plugins", "check", "by-band")
    assert done.code == 1
    assert f"WRONG  {wrong}: " in done.out
    assert done.out.count("WRONG") == 1
    assert message in done.out
    assert done.out.splitlines()[-1] == "by-band 1.0: 1 problem"


def test_checks_that_need_a_hook_that_fails_say_that_they_were_not_made(command, site):
    install(site, "import no_such_library")
    found = json.loads(command("plugins", "check", "by-band", "--json").out)
    made = {check["name"] for check in found["checks"] if not check["notes"]}
    assert made.isdisjoint({"contracts", "targets", "imports", "readme", "summaries", "defaults"})
    assert {"hooks", "kernels", "privacy"} <= made


def test_what_the_environment_disables_is_checked_all_the_same(command, site, monkeypatch):
    install(site)
    monkeypatch.setenv("ZCOLLECTION_DISABLE_PLUGINS", "*")
    done = command("plugins", "check", "by-band", "--json")
    assert done.code == 0
    assert json.loads(done.out)["provides"][0]["name"] == "band"


def test_a_distribution_that_is_not_installed_is_an_error_with_the_nearest_name(command, site):
    install(site)
    done = command("plugins", "check", "by-bend")
    assert done.code == 1
    assert "the distribution 'by-bend' is not installed" in done.err
    assert "did you mean 'by-band'" in done.err
    assert "pip install by-bend" in done.err


def test_a_distribution_without_a_plugin_is_wrong(command, site):
    done = command("plugins", "check", "numpy")
    assert done.code == 1
    assert "numpy has no entry point; accepted: one of the group 'zcollection'" in done.out


def test_commands_alone_are_checked_too(command, site):
    module = site.install("shaper", [], "def shape():\n    '''Show a shape.'''\n")
    info = site.folder / "shaper-1.0.dist-info" / "entry_points.txt"
    info.write_text(f"[zcollection.commands]\nshape = {module}:shape\ninsert = {module}:shape\nlost = {module}:lost\n")
    done = command("plugins", "check", "shaper", "--json")
    assert done.code == 1
    (commands,) = [check for check in json.loads(done.out)["checks"] if check["name"] == "commands"]
    taken, lost = sorted(commands["problems"], key=len)
    assert taken == "the command 'insert' is built into zcollection; rename it"
    assert "'lost' is provided by shaper, but" in lost
