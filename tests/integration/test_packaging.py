"""Each package builds a wheel that installs and works alone: environments made of wheels, without this checkout."""

import json
import zipfile

import pytest
from environments import ROOT, Environment

SCHEMA = """
import zcollection as zc
schema = (zc.Schema().with_dimension("time").with_variable("time", dtype="int64", dimensions=("time",)).build())
"""


@pytest.fixture
def environment(tmp_path, wheels):
    """Return a function that makes an environment of the kernel's wheel, some plugins', and our dependencies."""

    def make(*plugins):
        made = Environment(tmp_path / "env")
        made.install(*(wheels[name] for name in ("zcollection", *plugins)))
        return made

    return make


def test_every_member_of_the_workspace_builds_a_wheel(wheels):
    assert len(wheels) == 1 + len(list((ROOT / "plugins").iterdir()))
    for wheel in wheels.values():
        names = zipfile.ZipFile(wheel).namelist()
        assert any(name.endswith("/py.typed") for name in names)
        assert not any(name.startswith(("tests/", "docs/", "plugins/")) for name in names)


def test_the_kernel_alone_imports_and_says_what_to_install(environment):
    done = environment().run(
        SCHEMA
        + """
try:
    zc.create_collection("file:///nowhere", schema=schema, axis="time", partitioning=None)
except zc.PluginError as error:
    print(error)
try:
    zc.partitioning.Date
except zc.PluginError as error:
    print(error)
"""
    )
    assert done.returncode == 0, done.stderr
    assert "pip install zcollection-store-file" in done.stdout
    assert "pip install zcollection-partitioning-date" in done.stdout


def test_installing_the_wheel_of_a_plugin_makes_its_name_work(environment, tmp_path):
    alone = environment("zcollection_store_file", "zcollection_partitioning_date")
    done = alone.run(
        SCHEMA
        + f"""
import numpy
col = zc.create_collection({str(tmp_path / "col")!r}, schema=schema, axis="time",
                           partitioning=zc.partitioning.Date(("time",), resolution="D"))
col.insert({{"time": numpy.arange(3) * 86400 * 10**9}})
print(col.partitions())
try:
    col.insert({{"time": numpy.arange(3)}}, merge="upsert")
except zc.PluginError as error:
    print(error)
"""
    )
    assert done.returncode == 0, done.stderr
    assert "year=1970/month=01/day=03" in done.stdout
    assert "pip install zcollection-merge-upsert" in done.stdout


def test_a_collection_whose_partitioning_is_missing_still_lists_and_reads(environment, tmp_path):
    code = (
        SCHEMA
        + f"""
import numpy
col = zc.create_collection({str(tmp_path / "col")!r}, schema=schema, axis="time",
                           partitioning=zc.partitioning.Date(("time",), resolution="D"))
col.insert({{"time": numpy.arange(3) * 86400 * 10**9}})
"""
    )
    full = environment("zcollection_store_file", "zcollection_partitioning_date")
    assert full.run(code).returncode == 0
    reader = f"""
import zcollection as zc
col = zc.open_collection({str(tmp_path / "col")!r}, mode="rw")
print(col.partitions(), col.query()["time"].to_numpy().sum())
for attempt in (lambda: col.query(filters="day == 1"), lambda: col.insert({{"time": [1]}})):
    try:
        attempt()
    except zc.PluginError as error:
        print(error)
"""
    done = full.run(reader, ZCOLLECTION_DISABLE_PLUGINS="zcollection-partitioning-date")
    assert done.returncode == 0, done.stderr
    listing, first, second = done.stdout.splitlines()
    assert listing.endswith(str(3 * 86400 * 10**9))
    for message in (first, second):
        assert "'date' is not installed" in message
        assert "zcollection-partitioning-date>=2026.12.5" in message
        assert "disabled" in message


def test_a_plugin_that_fails_to_import_stops_nothing_else(environment, tmp_path):
    alone = environment("zcollection_store_memory", "zcollection_partitioning_date")
    (alone.site / "broken_plugin.py").write_text("raise RuntimeError('no such sensor')\n")
    info = alone.site / "broken_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[zcollection]\nmerge-broken = broken_plugin\n")
    done = alone.run(
        SCHEMA
        + """
col = zc.create_collection("memory://one", schema=schema, axis="time",
                           partitioning=zc.partitioning.Date(("time",), resolution="D"))
print(len(col.insert({"time": [1, 2]})))
try:
    col.insert({"time": [1, 2]}, merge="broken")
except zc.PluginError as error:
    print(error)
"""
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "1"
    assert "no such sensor" in done.stdout
    listed = alone.command_line("plugins", "--json")
    rows = json.loads(listed.stdout)
    assert {row["name"]: row["status"] for row in rows if row["distribution"] == "broken-plugin"} == {
        "broken": "failed: RuntimeError: no such sensor"
    }
    assert next(row for row in rows if row["name"] == "memory")["status"] == "ok"
