"""A sample of each command of this directory; each runs at full length by itself."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def figures(name, *arguments):
    done = subprocess.run(
        [sys.executable, HERE / f"{name}.py", *map(str, arguments)], capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_processes_that_meet_on_a_partition_lose_no_row_and_readers_see_one_version():
    found = figures("contention", "--processes", 3, "--upserts", 12, "--readers", 1)
    assert found["present"] == found["acknowledged"] == 36
    assert found["queries"] > 0


def test_writers_that_are_killed_or_stopped_damage_nothing():
    found = figures("chaos", "--seconds", 8)
    assert found["kills"] > 3
    assert found["acknowledged"] > 20


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace, which injects the faults, is not installed")
@pytest.mark.parametrize("arguments", [["--operations", "upsert"], ["--operations", "drop", "--fsync"]])
def test_a_fault_at_a_system_call_leaves_all_of_an_operation_or_nothing(arguments):
    assert figures("crashes", "--every", 29, *arguments)["points"] >= 6
