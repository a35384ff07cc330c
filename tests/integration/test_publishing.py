"""Anybody can publish and contribute: metadata that agree, builds that repeat, an order of release, workflows that run what exists."""

import email
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from environments import ROOT
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import zcollection as zc

FILES = [ROOT / "pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))]
PROJECTS = {file.parent: tomllib.loads(file.read_text(encoding="utf-8")) for file in FILES}
KERNEL = PROJECTS[ROOT]["project"]
PLUGINS = [pytest.param(folder, id=folder.name) for folder in PROJECTS if folder != ROOT]
ADDRESS = KERNEL["urls"]["Source"]
RELEASE_ORDER = ROOT / ".ci" / "release-order"
WORKFLOWS = {
    file.name: yaml.safe_load(file.read_text(encoding="utf-8")) for file in (ROOT / ".github/workflows").glob("*.yml")
}
JOBS = [
    pytest.param(job, id=f"{name}-{key}")
    for name, workflow in sorted(WORKFLOWS.items())
    for key, job in workflow["jobs"].items()
]


def loaded(file):
    """Import a script that has no suffix."""
    loader = importlib.machinery.SourceFileLoader(file.name.replace("-", "_"), str(file))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    module.__dict__["__file__"] = str(file)
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), module.__dict__)
    return module


def metadata_of(wheel):
    # Not by `importlib.metadata`: a library that a test has imported may replace its finder by another one.
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_string(archive.read(name).decode())


def tracked():
    """Return the files of the repository, by their paths in it, those that are not committed yet among them."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


# Metadata


@pytest.mark.parametrize("folder", PLUGINS)
def test_a_plugin_has_the_same_metadata_as_the_kernel(folder):
    project = PROJECTS[folder]["project"]
    for key in ("version", "license", "license-files", "authors", "requires-python", "urls"):
        assert project[key] == KERNEL[key], key
    assert common(project["classifiers"]) == common(KERNEL["classifiers"])
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert project["readme"] == "README.md"
    assert project["description"]
    assert "zcollection" in project["keywords"]


def common(classifiers):
    return {item for item in classifiers if not item.startswith(("Topic", "Framework"))}


def test_the_version_is_that_of_the_kernel():
    assert KERNEL["version"] == zc.__version__


def test_the_classifiers_name_every_python_from_the_oldest_on():
    named = [item.rpartition(" ")[2] for item in KERNEL["classifiers"] if re.search(r":: 3\.\d+$", item)]
    oldest = KERNEL["requires-python"].removeprefix(">=")
    assert named[0] == oldest
    assert [int(version.partition(".")[2]) for version in named] == list(range(11, 11 + len(named)))


def test_every_plugin_comes_with_the_extra_all():
    tables = {canonicalize_name(data["project"]["name"]): data["project"] for data in PROJECTS.values()}
    reached, waiting = set(), [Requirement("zcollection[all]")]
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key[0] in tables and key not in reached:
            reached.add(key)
            table = tables[key[0]]
            waiting += map(Requirement, table["dependencies"])
            waiting += [
                Requirement(line)
                for extra in requirement.extras
                for line in table.get("optional-dependencies", {})[extra]
            ]
    assert {name for name, _ in reached} == tables.keys()


def test_the_repository_has_one_address():
    others = {
        f"{name}: {found}"
        for name in tracked()
        if name.endswith((".md", ".toml", ".yml", ".yaml", ".py"))
        for found in re.findall(r"github\.com/[\w.-]+/zcollection\b", (ROOT / name).read_text(encoding="utf-8"))
        if f"https://{found}" != ADDRESS
    }
    assert not others


def test_the_top_level_has_its_entries_and_dotfiles():
    entries = {Path(name).parts[0] for name in tracked()}
    assert {name for name in entries if not name.startswith(".")} == {
        *("pyproject.toml", "README.md", "LICENSE"),
        *("zcollection", "plugins", "tests", "docs", "cookiecutter-plugin"),
    }


def test_the_links_of_a_readme_lead_somewhere_outside_of_the_repository_too(wheels):
    for name, wheel in wheels.items():
        text = metadata_of(wheel).get_payload()
        assert text, f"{name} has no README in its metadata"
        targets = re.findall(r"\]\(([^)\s]+)\)", text)
        for target in targets:
            assert target.startswith(("https://", "#")), f"{name}: {target} leads nowhere on a page of the index"
            inside = re.match(rf"{re.escape(ADDRESS)}/(?:blob|tree|raw)/main/([^#]+)", target)
            assert inside is None or (ROOT / inside[1]).exists(), f"{name}: {target} does not exist"


# Builds


@pytest.mark.parametrize("folder", [ROOT, ROOT / "plugins" / "store-s3"], ids=["kernel", "store-s3"])
def test_builds_repeat_byte_for_byte_and_the_wheel_is_made_from_the_sdist(folder, tmp_path):
    epoch = 1_700_000_000
    first = built(folder, tmp_path / "first", epoch)
    copy = tmp_path / "elsewhere" / folder.name
    shutil.copytree(
        folder, copy, copy_function=shutil.copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "uv.lock")
    )
    shutil.copy(ROOT / ".gitignore", tmp_path / "elsewhere" / ".gitignore")
    if folder == ROOT:
        shutil.copy(ROOT / ".gitignore", copy / ".gitignore")
    again = built(copy, tmp_path / "again", epoch)
    assert {name: file.read_bytes() for name, file in first.items()} == {
        name: file.read_bytes() for name, file in again.items()
    }
    wheel, sdist = sorted(first.values(), key=lambda file: file.suffix, reverse=True)
    with tarfile.open(sdist) as archive:
        assert {int(member.mtime) for member in archive.getmembers()} == {epoch}
        archive.extractall(tmp_path / "unpacked", filter="data")
    with zipfile.ZipFile(wheel) as archive:
        dates = {datetime(*item.date_time, tzinfo=UTC).timestamp() for item in archive.infolist()}
        assert dates == {epoch}
        assert [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
    (sources,) = (tmp_path / "unpacked").iterdir()
    from_sdist = built(sources, tmp_path / "from-sdist", epoch)
    assert from_sdist[wheel.name].read_bytes() == wheel.read_bytes()


def built(project, folder, epoch):
    """Build the sdist and the wheel of a project, and return the files by name."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch)}
    subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True)
    return {file.name: file for file in folder.iterdir()}


# The order of a release


def test_each_distribution_is_released_after_those_that_its_wheel_requires(wheels):
    done = subprocess.run([sys.executable, RELEASE_ORDER, "--json"], capture_output=True, text=True, check=True)
    order = json.loads(done.stdout)
    described = {canonicalize_name(metadata["Name"]): metadata for metadata in map(metadata_of, wheels.values())}
    assert sorted(order) == sorted(described)
    for name, metadata in described.items():
        for requirement in map(Requirement, metadata.get_all("Requires-Dist", [])):
            required = canonicalize_name(requirement.name)
            if required in described and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
                assert order.index(required) < order.index(name), f"{name} is released before {required}"
    plain = subprocess.run([sys.executable, RELEASE_ORDER], capture_output=True, text=True, check=True).stdout
    assert plain.split() == order


@given(st.data())
def test_any_distributions_without_a_cycle_have_an_order(data):
    names = data.draw(st.lists(st.from_regex(r"[a-z]{1,4}(-[a-z]{1,3})?", fullmatch=True), unique=True, max_size=8))
    tables = {}
    for index, name in enumerate(names):
        required = data.draw(st.sets(st.sampled_from(names[:index]))) if index else set()
        spelt = [data.draw(st.sampled_from([item, item.upper(), item.replace("-", "_")])) for item in sorted(required)]
        bounds = data.draw(st.sampled_from(["", ">=1", "[extra]>=2,<3", ' ; python_version > "3"']))
        tables[name] = {"name": name, "dependencies": ["numpy>=2", *(item + bounds for item in spelt)]}
    order = loaded(RELEASE_ORDER).order(data.draw(st.permutations(sorted(tables.items())).map(dict)))
    assert sorted(order) == sorted(names)
    for name, table in tables.items():
        for line in table["dependencies"][1:]:
            assert order.index(canonicalize_name(Requirement(line).name)) < order.index(name)


@pytest.fixture
def checkout(tmp_path):
    """A function that writes distributions, and runs the script over them."""

    def run(*arguments, **distributions):
        for number, (name, (version, required)) in enumerate(distributions.items()):
            folder = tmp_path / "plugins" / name if number else tmp_path
            folder.mkdir(parents=True, exist_ok=True)
            text = f'[project]\nname = "{name}"\nversion = "{version}"\ndependencies = {json.dumps(required)}\n'
            (folder / "pyproject.toml").write_text(text)
        command = [sys.executable, RELEASE_ORDER, *arguments, tmp_path]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_distributions_that_require_each_other_have_none(checkout):
    done = checkout(kernel=("1", []), one=("1", ["kernel", "two>=1"]), two=("1", ["one"]))
    assert done.returncode == 1
    assert re.search(r"require each other: (one -> two -> one|two -> one -> two);", done.stderr)


def test_versions_that_differ_are_named(checkout):
    done = checkout("--version", kernel=("2026.12.5", []), one=("2026.12.4", ["kernel"]))
    assert done.returncode == 1
    assert "kernel 2026.12.5" in done.stderr
    assert "one 2026.12.4" in done.stderr


def test_the_version_to_be_published_is_the_one_of_the_changelog():
    script = [ROOT / ".ci" / "release-order", "--version"]
    version = subprocess.run([sys.executable, *script], capture_output=True, text=True, check=True).stdout.strip()
    assert version == KERNEL["version"]
    changelog = (ROOT / "docs" / "changelog.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", changelog, flags=re.MULTILINE)
    assert sections[0] == ("Unreleased", "")
    assert sections[1][0] == version
    dates = [date for _, date in sections[1:]]
    assert dates == sorted(dates, reverse=True)
    assert all(f"\n[{name}]: {ADDRESS}/" in changelog for name, _ in sections)


def test_the_changelog_has_the_kinds_of_changes_of_keep_a_changelog():
    changelog = (ROOT / "docs" / "changelog.md").read_text(encoding="utf-8")
    kinds = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    for section in changelog.split("\n## ")[1:]:
        found = re.findall(r"^### (.+)$", section, flags=re.MULTILINE)
        assert found == [kind for kind in kinds if kind in found]


# Workflows and commands


def runs(job):
    """Return the commands of a job, those that its matrix names among them."""
    commands = [step["run"] for step in job.get("steps", ()) if "run" in step]
    matrix = job.get("strategy", {}).get("matrix", {})
    return [*commands, *(row["command"] for row in matrix.get("include", ()) if "command" in row)]


def scripts_in(text):
    return re.findall(r"(?<![\w/])\.ci/([\w-]+)", text)


@pytest.mark.parametrize("job", JOBS)
def test_a_job_runs_commands_that_exist_here_and_in_the_one_command_for_all(job):
    ours = "".join(file.read_text(encoding="utf-8") for file in (ROOT / ".ci").iterdir())
    for command in runs(job):
        for script in scripts_in(command):
            assert os.access(ROOT / ".ci" / script, os.X_OK), f".ci/{script} cannot be run"
            assert script in {*scripts_in((ROOT / ".ci" / "run").read_text(encoding="utf-8")), "release-order"}
        for line in command.splitlines():
            if line.strip().startswith("uv "):
                assert line.strip() in ours, f"{line} is not among the commands of .ci/run"


@pytest.mark.parametrize("job", JOBS)
def test_a_job_uses_workflows_that_exist_and_actions_of_a_major_version(job):
    used = [job["uses"]] if "uses" in job else [step["uses"] for step in job["steps"] if "uses" in step]
    for name in used:
        if name.startswith("./"):
            assert (ROOT / name).is_file(), name
        else:
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@(release/)?v\d+", name), name


@pytest.mark.parametrize("job", JOBS)
def test_a_job_ends_in_bounded_time_and_may_do_no_more_than_it_must(job):
    if "uses" not in job:
        assert job["timeout-minutes"] <= 60
    granted = {scope for scope, access in job.get("permissions", {}).items() if access == "write"}
    assert granted <= {"id-token", "pages", "contents"}


def test_the_tests_run_on_every_python_that_the_metadata_name_and_on_three_systems():
    matrix = WORKFLOWS["tests.yml"]["jobs"]["tests"]["strategy"]["matrix"]
    named = {item.rpartition(" ")[2] for item in KERNEL["classifiers"] if re.search(r":: 3\.\d+$", item)}
    assert set(matrix["python"]) == named
    assert {system.partition("-")[0] for system in matrix["system"]} == {"ubuntu", "macos", "windows"}


def test_what_is_published_was_built_checked_and_approved_and_goes_one_by_one():
    jobs = WORKFLOWS["release.yml"]["jobs"]
    publish, approve = jobs["publish"], jobs["approve"]
    assert "approve" in publish["needs"]
    assert {"checks", "tests", "packages"} <= set(approve["needs"])
    assert publish["strategy"]["max-parallel"] == 1
    assert publish["strategy"]["matrix"]["distribution"] == "${{ fromJSON(needs.packages.outputs.order) }}"
    assert publish["environment"] == "${{ matrix.distribution }}"
    assert publish["permissions"] == {"id-token": "write"}


def test_the_files_of_each_distribution_are_chosen_by_its_name(wheels, tmp_path):
    (choose,) = [
        step for step in WORKFLOWS["release.yml"]["jobs"]["publish"]["steps"] if "DISTRIBUTION" in step.get("env", {})
    ]
    (tmp_path / "dist").mkdir()
    for wheel in wheels.values():
        (tmp_path / "dist" / wheel.name).touch()
    order = subprocess.run([sys.executable, RELEASE_ORDER], capture_output=True, text=True, check=True).stdout.split()
    for name in order:
        environment = os.environ | {"DISTRIBUTION": name}
        subprocess.run(["bash", "-euc", choose["run"]], cwd=tmp_path, env=environment, check=True)
        (chosen,) = (tmp_path / "upload").iterdir()
        assert canonicalize_name(chosen.name.partition("-")[0]) == name
        shutil.rmtree(tmp_path / "upload")
    assert not list((tmp_path / "dist").iterdir())


def test_scripts_that_texts_and_hooks_name_exist():
    texts = [ROOT / ".pre-commit-config.yaml", *(ROOT / ".github").glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    texts += list((ROOT / ".ci").iterdir())
    for file in texts:
        for script in scripts_in(file.read_text(encoding="utf-8")):
            assert (ROOT / ".ci" / script).is_file(), f"{file} names .ci/{script}"


def test_folders_of_tests_that_commands_name_exist():
    for file in [*(ROOT / ".ci").iterdir(), *(ROOT / ".github/workflows").iterdir()]:
        named = re.findall(r"(?<![\w/$}\"])tests/[\w/.*]+(?![\w/.*$])", file.read_text(encoding="utf-8"))
        assert [name for name in named if not list(ROOT.glob(name.rstrip(".")))] == [], file


def test_links_of_the_files_for_contributors_lead_somewhere():
    for file in (ROOT / ".github").glob("*.md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text(encoding="utf-8")):
            if not target.startswith(("https://", "#")):
                assert (file.parent / target.partition("#")[0]).exists(), f"{file.name}: {target}"


def test_folders_and_files_that_the_guide_for_contributors_names_exist():
    text = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests|plugins|zcollection|docs)/[\w./*-]+)`", text))
    assert len(named) > 20
    for name in named - {"docs/build"}:
        assert list(ROOT.glob(name)), f"{name} does not exist"


def test_the_table_of_tests_names_every_folder():
    text = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    folders = {Path(name).parts[1] for name in tracked() if re.match(r"tests/\w+/", name)}
    assert folders == set(re.findall(r"`tests/(\w+)`", text.partition("| folder |")[2]))
