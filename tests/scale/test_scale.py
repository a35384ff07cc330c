"""A sample of each command of this directory; each runs at full size by itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from effort import cases

HERE = Path(__file__).parent


def figures(*arguments):
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_memory_is_bounded_by_partitions_and_not_by_the_collection(tmp_path):
    arguments = [
        "--bytes",
        "120MB",
        "--partition",
        "4MB",
        "--place",
        tmp_path,
        "--operations",
        "insert",
        "update",
        "copy",
    ]
    found = figures(HERE, *arguments)
    assert [item["partitions"] for item in found["operations"]] == [29 + 1] * 3
    assert max(item["peak resident, MB"] for item in found["operations"]) < 110


def test_questions_in_sql_are_answered_right_and_say_what_memory_they_took(tmp_path):
    pytest.importorskip("duckdb")
    pytest.importorskip("zcollection_arrow")
    found = figures(HERE / "sql.py", "--bytes", "12MB", "--partition", "4MB", "--place", tmp_path)
    assert [item["cycles"] for item in found["questions"]] == [3, 3]
    assert all(0 < item["peak resident, MB"] < 450 for item in found["questions"])


@pytest.mark.parametrize("store", cases("file", thorough=["icechunk"]))
def test_an_operation_whose_worker_is_killed_completes_or_fails_whole(store):
    found = figures(HERE / "kills.py", "--kills", 2, "--store", store)
    assert found["completed"] + found["failed whole"] == 2


def test_what_is_read_and_written_depends_on_what_is_asked_for_and_not_on_how_many_partitions_there_are():
    works = ["insert of a new one at the end", "open and query of one, cold", "update of one", "map of one"]
    found = figures(HERE / "catalogs.py", "--counts", 1000, 20_000, "--times", 16, "--works", *works)
    for work in works:
        ratio = found[work]["ratio"]
        assert ratio["calls"] <= 1.5, (work, ratio)
        assert ratio["read"] <= 1.5, (work, ratio)
    assert found["insert of a new one at the end"]["ratio"]["written"] <= 2
