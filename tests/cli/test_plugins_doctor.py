"""``zcollection plugins doctor``: what is installed, what is wrong with it, and which plugins collections need."""

import json

import numpy as np
import pytest
from distributions import PARTITIONING, Site, hook

import zcollection as zc
from zcollection.cli import plugins as command_module
from zcollection.registry.hookspecs import Family
from zcollection.registry.registry import REGISTRY, Registry

BAND = hook("partitionings", 'Provides("band", target="MODULE_impl:Band", summary="By band")')
IMPLEMENTATION = PARTITIONING.format(name="Band")


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    for variable in ("ZCOLLECTION_PLUGINS", "ZCOLLECTION_DISABLE_PLUGINS", "ZCOLLECTION_STRICT_PLUGINS"):
        monkeypatch.delenv(variable, raising=False)
    return Site(folder)


@pytest.fixture
def doctor(command, monkeypatch):
    """Return a function that asks the doctor as a new process does, and returns the exit code and the answer."""

    def ask(*arguments):
        monkeypatch.setattr(command_module, "REGISTRY", Registry())
        done = command("plugins", "doctor", "--json", *arguments)
        assert done.err == ""
        return done.code, json.loads(done.out)

    return ask


def install(site, name, source=BAND, entry_points=("partitioning-band",), implementation=IMPLEMENTATION):
    return site.install(name, [*entry_points], source, impl=implementation)


def test_all_is_well_with_what_this_project_installs(doctor, site):
    code, found = doctor()
    assert (code, found["problems"], found["collections"]) == (0, [], [])
    distributions = {item["distribution"]: item["names"] for item in found["distributions"]}
    assert distributions["zcollection-merge-upsert"] == ["merge upsert"]
    assert distributions["zcollection-coverage"] == ["command coverage"]


def test_in_words(command, site, monkeypatch):
    monkeypatch.setattr(command_module, "REGISTRY", Registry())
    done = command("plugins", "doctor")
    assert done.code == 0
    assert done.out.splitlines()[0].split() == ["distribution", "version", "provides"]
    assert done.out.splitlines()[-1] == "nothing is wrong"
    install(site, "one")
    install(site, "two")
    monkeypatch.setattr(command_module, "REGISTRY", Registry())
    done = command("plugins", "doctor")
    assert done.code == 1
    assert (
        "problem: partitioning 'band': it is provided by one, two, and therefore cannot be used; next step: "
        in done.out
    )
    assert done.out.splitlines()[-1] == "1 problem"


def test_a_conflict_is_settled_as_the_doctor_says(doctor, site, monkeypatch):
    install(site, "one")
    install(site, "two")
    code, found = doctor()
    (problem,) = found["problems"]
    assert code == 1
    assert problem["step"].startswith("ZCOLLECTION_DISABLE_PLUGINS=two ")
    monkeypatch.setenv("ZCOLLECTION_DISABLE_PLUGINS", "two")
    code, found = doctor()
    assert (code, found["problems"]) == (0, [])
    assert found["disabled"] == [
        {"entry_point": "partitioning-band", "distribution": "two", "variable": "ZCOLLECTION_DISABLE_PLUGINS"}
    ]


def test_a_name_that_shadows_an_older_name_is_found(doctor, site):
    install(site, "old", BAND.replace("summary=", 'aliases=("stripe",), summary='))
    stripe = hook("partitionings", 'Provides("stripe", target="MODULE_impl:Band", summary="By stripe")')
    install(site, "new", stripe, ("partitioning-stripe",))
    code, found = doctor()
    (problem,) = found["problems"]
    assert (code, problem["subject"]) == (1, "partitioning 'stripe' of new")
    assert "it shadows the older name 'stripe' of 'band' of old" in problem["text"]


def test_two_names_of_one_class_name_are_found(doctor, site):
    twice = ('Provides("by-band", target="MODULE_impl:Band")', 'Provides("by_band", target="MODULE_impl:Band")')
    install(site, "one", hook("partitionings", *twice))
    code, found = doctor()
    (problem,) = found["problems"]
    assert (code, problem["subject"]) == (1, "partitioning 'by_band'")
    assert "the name ByBand in zcollection.partitioning, like that of 'by-band'" in problem["text"]


@pytest.mark.parametrize(
    ("source", "implementation", "text", "step"),
    [
        (
            "import no_such_library",
            "",
            "ModuleNotFoundError: No module named 'no_such_library'",
            "pip install the library",
        ),
        ("raise OSError('disk\\nfull')", "", "OSError: disk", "zcollection plugins check bad"),
        (
            BAND,
            "import no_such_library",
            "ModuleNotFoundError: No module named 'no_such_library'",
            "pip install the library",
        ),
        (BAND, "Band = 5", "is not a Partitioning", "report this to the plugin's author"),
        (
            BAND.replace("summary=", "contract=2, summary="),
            IMPLEMENTATION,
            "written for version 2",
            "upgrade zcollection",
        ),
        (BAND.replace("summary=", "colour=2, summary="), IMPLEMENTATION, "unexpected keyword", "upgrade zcollection"),
    ],
)
def test_a_failure_has_the_last_line_of_its_traceback_and_a_next_step(doctor, site, source, implementation, text, step):
    install(site, "bad", source, implementation=implementation)
    code, found = doctor()
    (problem,) = found["problems"]
    assert code == 1
    assert "bad 1.0" in problem["subject"]
    assert text in problem["text"]
    assert step in problem["step"]


def test_a_failure_of_a_module_says_where_it_comes_from(doctor, site):
    module = install(site, "bad", "x = 1\nimport no_such_library")
    _, found = doctor()
    assert f"{module}.py, line 2" in found["problems"][0]["text"]


@pytest.mark.parametrize(
    ("requirement", "state"),
    [
        ("no-such-thing>=3", "no-such-thing is not installed"),
        ("zcollection>=2099", "zcollection is installed in version"),
    ],
)
def test_a_requirement_that_is_not_met_is_found(doctor, site, requirement, state):
    install(site, "one")
    metadata = site.folder / "one-1.0.dist-info" / "METADATA"
    metadata.write_text(
        f"{metadata.read_text()}Requires-Dist: {requirement}\nRequires-Dist: never; extra == 'x'\nRequires-Dist: numpy\n"
    )
    code, found = doctor()
    (problem,) = found["problems"]
    assert (code, problem["subject"]) == (1, "distribution one 1.0")
    assert state in problem["text"]


def test_a_distribution_that_is_installed_twice_is_found(doctor, site, tmp_path, monkeypatch):
    install(site, "one")
    other = tmp_path / "other"
    other.mkdir()
    Site(other).install("one", ["partitioning-band"], BAND, version="0.9", impl=IMPLEMENTATION)
    monkeypatch.syspath_prepend(str(other))
    code, found = doctor()
    assert code == 1
    (problem,) = [item for item in found["problems"] if item["subject"] == "distribution one"]
    assert problem["text"].startswith(f"it is installed 2 times: 0.9 in {other}")
    assert f"shadows 1.0 in {site.folder}" in problem["text"]


def test_a_command_of_the_kernel_is_not_taken_over_and_two_of_one_name_conflict(doctor, site):
    for name in ("one", "two"):
        module = site.install(name, [], "def shape():\n    '''Show a shape.'''\n")
        text = f"[zcollection.commands]\nshape = {module}:shape\n"
        text += f"insert = {module}:shape\nlost = {module}:lost\n" if name == "one" else ""
        (site.folder / f"{name}-1.0.dist-info" / "entry_points.txt").write_text(text)
    code, found = doctor()
    problems = {problem["subject"]: problem for problem in found["problems"]}
    assert code == 1
    assert problems.keys() == {"command 'insert'", "command 'shape'", "command 'lost' of one"}
    assert "is built into zcollection, whose command runs" in problems["command 'insert'"]["text"]
    assert problems["command 'lost' of one"]["text"].startswith("AttributeError: ")


def test_a_name_in_the_environment_of_nothing_that_is_installed_is_noted(doctor, site, monkeypatch):
    install(site, "one")
    monkeypatch.setenv("ZCOLLECTION_DISABLE_PLUGINS", "on")
    code, found = doctor()
    assert code == 0
    assert found["notes"] == [
        "ZCOLLECTION_DISABLE_PLUGINS names 'on', which is neither an installed entry point nor an installed distribution"
    ]


def test_everything_that_is_not_chosen_is_disabled_by_the_variable_that_chooses(doctor, site, monkeypatch):
    install(site, "one")
    monkeypatch.setenv("ZCOLLECTION_PLUGINS", "one")
    _, found = doctor()
    assert {item["variable"] for item in found["disabled"]} == {"ZCOLLECTION_PLUGINS"}
    assert {"zcollection-merge-upsert", "zcollection-coverage"} <= {item["distribution"] for item in found["disabled"]}
    assert "one" not in {item["distribution"] for item in found["disabled"]}


def test_an_extra_that_is_not_installed_is_named(doctor, site, monkeypatch):
    version = command_module.plugin_doctor._version_of
    monkeypatch.setattr(
        command_module.plugin_doctor, "_version_of", lambda name: None if name == "shapely" else version(name)
    )
    _, found = doctor()
    assert found["extras"] == [{"extra": "geo", "missing": ["shapely"], "step": "pip install 'zcollection[geo]'"}]


class TestCollections:
    def test_each_needs_its_partitioning_and_its_store(self, doctor, site, make, tmp_path):
        make(0, "data/altimetry")
        make(0, "data/deep/er/waves")
        code, found = doctor(tmp_path / "data")
        assert (code, found["problems"]) == (0, [])
        first, second = found["collections"]
        assert first["url"].endswith("/data/altimetry")
        assert second["url"].endswith("/data/deep/er/waves")
        assert [(need["family"], need["name"], need["error"]) for need in first["needs"]] == [
            ("partitioning", "date", None),
            ("store", "file", None),
        ]
        assert first["needs"][0]["provided_by"].startswith("zcollection-partitioning-date>=")

    def test_a_collection_itself_may_be_given(self, doctor, site, url):
        code, found = doctor(url)
        assert code == 0
        assert [place["url"] for place in found["collections"]] == [url]

    def test_folders_that_are_too_deep_are_named(self, doctor, site, make, tmp_path):
        make(0, "data/altimetry")
        make(0, "data/deep/er/waves")
        code, found = doctor(tmp_path / "data", "--depth", "1")
        assert code == 0
        assert len(found["collections"]) == 1
        assert [folder.rpartition("/data/")[2] for folder in found["unseen"]] == ["deep/er"]

    def test_a_view_needs_its_computation(self, doctor, site, collection, tmp_path):
        zc.create_view(tmp_path / "view", base=collection, computation=zc.computation.Expression({"twice": "2 * ssh"}))
        code, found = doctor(tmp_path / "view")
        assert code == 0
        (place,) = found["collections"]
        assert place["kind"] == "view"
        assert ("view", "expression") in [(need["family"], need["name"]) for need in place["needs"]]

    def test_what_is_missing_is_a_problem_with_a_next_step(self, doctor, site, tmp_path, register):
        import fakes

        class Halves(fakes.Quotient):
            pass

        register(Halves, name="halves")
        schema = zc.Schema().with_dimension("time").with_variable("time", dtype="int64", dimensions=("time",))
        made = zc.create_collection(tmp_path / "x", schema=schema, axis="time", partitioning=Halves(("time",)))
        made.insert({"time": np.arange(3)})
        REGISTRY.unregister(Family.PARTITIONING, "halves")
        code, found = doctor(tmp_path / "x")
        (problem,) = found["problems"]
        assert code == 1
        assert "it needs the partitioning 'halves', which cannot be used" in problem["text"]
        assert "register the class of the family 'partitioning' that was registered as 'halves'" in problem["step"]

    def test_where_there_is_none_or_none_can_be_read_is_a_problem(self, doctor, site, tmp_path):
        (tmp_path / "empty").mkdir()
        code, found = doctor(tmp_path / "empty", "nowhere://x")
        nothing, unreadable = found["problems"]
        assert code == 1
        assert "there is no collection at this URL or below it" in nothing["text"]
        assert "'nowhere' is not installed" in unreadable["text"]

    def test_a_damaged_configuration_stops_no_other(self, doctor, site, make, tmp_path):
        make(0, "data/altimetry")
        make(0, "data/waves")
        (tmp_path / "data" / "altimetry" / "_zcollection.json").write_text("{")
        code, found = doctor(tmp_path / "data")
        (problem,) = found["problems"]
        assert code == 1
        assert problem["subject"].endswith("/data/altimetry")
        assert [place["url"].rpartition("/")[2] for place in found["collections"]] == ["waves"]
