"""Plugins written from the documentation alone, installed from wheels: they serve a collection as any other."""

import json

import pytest
from environments import ROOT, Environment, build_wheel

WRITE = """
import numpy, sys, zcollection as zc
schema = zc.Schema().with_dimension("time")
for name in ("time", "latitude", "longitude"):
    schema = schema.with_variable(name, dtype="float64", dimensions=("time",))
cells = zc.partitioning.HEALPix(("latitude", "longitude"), order=1)
col = zc.create_collection(sys.argv[1], schema=schema, axis="time", partitioning=cells)
col.insert({"time": numpy.arange(4), "latitude": numpy.array([-80, 45.0, 3, 45.0]), "longitude": numpy.array([5, 12, 170, 13.0])})
col.insert({"time": numpy.array([1.0]), "latitude": numpy.array([45.0]), "longitude": numpy.array([12.5])}, merge="upsert")
"""
READ = """
import sys, zcollection as zc
col = zc.open_collection(sys.argv[1])
print(col.partitioning, [key["cell"] for key in col.keys()], col.query(filters="cell < 10")["longitude"].to_numpy().tolist())
print(col.verify(data=True).is_clean)
"""

COMMAND = "from zcollection.cli import main; main()"


@pytest.fixture(scope="module")
def plugins(tmp_path_factory):
    folder = tmp_path_factory.mktemp("thirdparty")
    return {name: build_wheel(ROOT / "tests" / "thirdparty" / name, folder) for name in ("healpix", "sqlite")}


@pytest.fixture
def environment(tmp_path, wheels, plugins):
    made = Environment(tmp_path / "env")
    made.install(wheels["zcollection"], wheels["zcollection_merge_upsert"], *plugins.values())
    return made


def test_the_distributions_conform(environment, tmp_path):
    """The suites of what they provide run in CI, where each plugin is installed alone."""
    command = (
        "-m",
        "pytest",
        "-q",
        "-n0",
        "--import-mode=importlib",
        "-p",
        "no:cacheprovider",
        "-W",
        "error",
        "-k",
        "Plugin",
    )
    done = environment.call(*command, ROOT / "tests" / "thirdparty", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("distribution", ["partitioning-by-healpix", "collections-in-sqlite"])
def test_the_command_finds_nothing_wrong_with_them(environment, distribution):
    done = environment.run(COMMAND, "plugins", "check", distribution)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith("nothing is wrong")


def test_a_collection_made_with_them_is_read_in_another_process(environment, plugins, tmp_path):
    url = f"sqlite://{tmp_path}/tides.db"
    done = environment.run(WRITE, url)
    assert done.returncode == 0, done.stderr
    read = environment.run(READ, url)
    assert read.returncode == 0, read.stderr
    listed, clean = read.stdout.splitlines()
    assert listed.startswith("HEALPix(variables=('latitude', 'longitude'), order=1, dimension=None) [")
    assert listed.endswith("[12.5, 13.0]")
    assert clean == "True"
    environment.uninstall(plugins["healpix"])
    examined = environment.run(COMMAND, "plugins", "doctor", url, "--json")
    (problem,) = json.loads(examined.stdout)["problems"]
    assert examined.returncode == 1
    assert "it needs the partitioning 'healpix', which cannot be used" in problem["text"]
    assert problem["step"] == "pip install 'partitioning-by-healpix>=1.0.0'"
    refused = environment.run(READ, url)
    assert refused.returncode == 1
    assert "'healpix' is not installed" in refused.stderr
    assert "partitioning-by-healpix>=1.0.0" in refused.stderr
