"""The template of plugins: what it generates is clean, works at once, and can be taken away again.

The suites of the generated plugins and the strict type check run in CI, by the commands of the guide.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cookiecutter.exceptions import FailedHookException
from cookiecutter.main import cookiecutter
from effort import cases
from environments import ROOT, Environment, build_wheel

TEMPLATE = ROOT / "cookiecutter-plugin"
FAMILIES = json.loads((TEMPLATE / "cookiecutter.json").read_text())["family"]
STANDARD = ("zcollection_store_file", "zcollection_store_memory", "zcollection_partitioning_date")


@pytest.fixture(autouse=True)
def _no_settings_of_mine(monkeypatch, tmp_path):
    """Neither settings nor answers of the person who runs the tests matter."""
    (tmp_path / "settings").write_text(f"cookiecutters_dir: {tmp_path}/cached\nreplay_dir: {tmp_path}/replayed\n")
    monkeypatch.setenv("COOKIECUTTER_CONFIG", str(tmp_path / "settings"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory, wheels):
    made = Environment(tmp_path_factory.mktemp("template") / "env")
    made.install(*(wheels[name] for name in ("zcollection", *STANDARD)))
    return made


def bake(folder, **answers):
    return Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(folder), extra_context=answers))


def ruff(*arguments, cwd):
    command = [Path(sys.executable).with_name("ruff"), *arguments, "--no-cache", "."]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


# `.ci/template` walks the guide for authors with every family.
@pytest.mark.parametrize("family", cases("view", thorough=[family for family in FAMILIES if family != "view"]))
def test_what_is_generated_works_at_once(family, environment, tmp_path):
    project = bake(tmp_path, family=family)
    clean = [ruff("format", "--check", cwd=project), ruff("check", cwd=project)]
    assert [done.returncode for done in clean] == [0, 0], [done.stdout for done in clean]
    wheel = build_wheel(project, tmp_path)
    environment.install(wheel)
    try:
        rows = json.loads(environment.command_line("plugins", "--json").stdout)
        assert [row["status"] for row in rows if row["distribution"] == project.name] == ["ok"]
        check_conformance(environment, project)
        check_example(environment, project)
    finally:
        environment.uninstall(wheel)
    check_without(environment, project)


def check_conformance(environment, project):
    options = ("-q", "--import-mode=importlib", "-p", "no:cacheprovider", "-k", "Plugin or not Test")
    shutil.copytree(project / "tests", project / "alone" / "tests")
    done = environment.call("-m", "pytest", *options, "tests", cwd=project / "alone")
    assert done.returncode == 0, done.stdout


def check_example(environment, project):
    done = environment.call("-W", "error", project / "example.py", cwd=project / "alone")
    assert done.returncode == 0, done.stderr
    (url,) = {line.partition('"')[2].rstrip('"') for line in lines(project / "example.py") if line.startswith("URL")}
    reopened = environment.call("-c", READER, url, cwd=project / "alone")
    assert reopened.returncode == 0, reopened.stderr
    found = json.loads(reopened.stdout)
    assert found["clean"]
    assert found["rows"] > 1


READER = """
import json, sys, zcollection as zc
try:
    opened = zc.open_collection(sys.argv[1])
except zc.CollectionNotFoundError:
    opened = zc.open_view(sys.argv[1])
print(json.dumps({"clean": opened.verify(data=True).is_clean, "rows": max(opened.query().sizes.values())}))
"""


def check_without(environment, project):
    """Whoever lacks the plugin is told so, and by a collection that needs it, which one it was made with."""
    done = environment.call("-W", "error", project / "example.py", cwd=project / "alone")
    assert done.returncode == 1
    assert "is not installed" in done.stderr
    assert "install the plugin that provides it" in done.stderr
    if "-partitioning-" in project.name:
        code = "import zcollection as zc; zc.open_collection('example-data').query(filters='south > 0')"
        done = environment.call("-c", code, cwd=project / "alone")
        assert f"{project.name}>=0.1.0" in done.stderr


def lines(file):
    return file.read_text().splitlines()


@pytest.mark.parametrize("family", FAMILIES)
def test_long_names_are_clean_after_formatting(family, tmp_path):
    project = bake(tmp_path, family=family, name="arathernamethatnobodywouldeverchoose")
    assert ruff("format", cwd=project).returncode == 0
    checked = ruff("check", cwd=project)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    "answers",
    [
        {"name": "Latitude"},
        {"name": "latitude-band"},
        {"name": "1st"},
        {"name": 'x"y'},
        {"family": "store", "name": "my_zip"},
        {"family": "partitioning", "name": "date"},
        {"family": "merge", "name": "time_series"},
        {"family": "store", "name": "s3"},
        {"family": "view", "name": "expression"},
        {"distribution": "Mine"},
        {"distribution": "../mine"},
        {"module": "zcollection"},
        {"module": "my-module"},
        {"summary": 'a "quoted" one'},
        {"summary": "two\nlines"},
        {"author": " "},
    ],
    ids=str,
)
def test_names_that_would_be_refused_later_are_refused_now(answers, tmp_path, capfd):
    with pytest.raises(FailedHookException):
        bake(tmp_path / "baked", **answers)
    assert "cannot generate the plugin: " in capfd.readouterr().err
    assert not [file for file in (tmp_path / "baked").rglob("*") if file.is_file()]


def test_the_template_knows_the_names_that_are_taken():
    ours = {family: {f"zcollection-{family}-*"} for family in FAMILIES}
    hook = (TEMPLATE / "hooks" / "pre_gen_project.py").read_text()
    for folder in (ROOT / "plugins").iterdir():
        if "[project.entry-points.zcollection]" not in (folder / "pyproject.toml").read_text():
            continue  # known to another library, and not by a name of a family
        family, _, name = folder.name.partition("-")
        assert family in ours
        assert f'"{name.replace("-", "_")}"' in hook, f"{folder.name} is missing from TAKEN"
