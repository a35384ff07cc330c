"""A sample of each command of this directory; each runs at full length by itself."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from effort import cases

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the commands use signals, /proc and strace of Linux")

HERE = Path(__file__).parent


def figures(name, *arguments):
    done = subprocess.run(
        [sys.executable, HERE / f"{name}.py", *map(str, arguments)], capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_processes_that_meet_on_a_partition_lose_no_row_and_readers_see_one_version():
    found = figures("contention", "--processes", 3, "--upserts", 6, "--readers", 1)
    assert found["present"] == found["acknowledged"] == 18
    assert found["queries"] > 0


@pytest.mark.parametrize("place", cases("icechunk", thorough=["ministack"]))
def test_the_same_holds_where_there_is_no_lock_and_where_the_store_commits(place):
    found = figures("contention", "--processes", 3, "--upserts", 4, "--readers", 1, "--place", place)
    assert found["present"] == found["acknowledged"] == 12
    assert found["queries"] > 0


@pytest.mark.parametrize(("place", "least"), cases(("file", 5), thorough=[("file", 20), ("ministack", 5)]))
def test_writers_that_are_killed_or_stopped_damage_nothing(place, least):
    found = figures("chaos", "--seconds", 8 if least > 5 else 3, "--least", least, "--place", place)
    assert found["kills"] > 0
    assert found["acknowledged"] >= least


@pytest.mark.parametrize(
    ("arguments", "least"),
    cases(
        (["--operations", "update rows", "--every", 17], 4),
        (["--operations", "repartition", "--every", 37], 2),
        (["--operations", "replace, tagged", "rollback", "--every", 37], 2),
        thorough=[
            (["--every", 53], 15),
            (["--every", 53, "--no-catalog"], 15),
            (["--operations", "update rows", "delete", "--every", 7], 25),
            (["--operations", "repartition", "split", "rewrite", "--every", 19], 20),
            (["--operations", "replace, tagged", "tag the newest", "rollback", "forget", "--every", 29], 8),
            (["--every", 59, "--operations", "replace", "insert", "--server", "ministack"], 4),
        ],
    ),
)
def test_a_process_that_dies_at_a_request_leaves_all_of_an_operation_or_nothing(arguments, least):
    found = figures("deaths", *arguments)
    assert found["points"] >= least
    assert found["seen"]["before"] > 0
    assert found["seen"]["after"] > 0


needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace, which injects faults, is not installed"
)


@needs_strace
@pytest.mark.parametrize(
    ("arguments", "least"),
    cases(
        (["--operations", "upsert", "--every", 101], 4),
        thorough=[
            (["--operations", "upsert", "--every", 47], 12),
            (["--operations", "drop", "--fsync", "--every", 19], 12),
        ],
    ),
)
def test_a_fault_at_a_system_call_leaves_all_of_an_operation_or_nothing(arguments, least):
    assert figures("crashes", *arguments)["points"] >= least


@needs_strace
@pytest.mark.parametrize("system", ["windows", "macos without links"])
def test_so_it_does_where_directories_cannot_be_swapped_and_files_not_linked(system):
    arguments = ["--operations", "replace, kept", "--faults", "kill", "--every", 19, "--system", system]
    assert figures("crashes", *arguments)["points"] >= 5


@needs_strace
def test_what_is_committed_is_on_the_disk():
    found = figures("lint", "--operations", "insert", "drop")
    assert found["records and marks"] == 4
    assert all(found["found without"].values())


@needs_strace
def test_what_a_file_system_refuses_is_done_otherwise():
    found = figures("refused", "--operations", "update", "--every", 9)
    assert found["operations"] == 3
    if found["mount for reading only"] != "read":
        pytest.skip(found["mount for reading only"])


@needs_strace
def test_a_writer_that_is_stopped_and_goes_on_damages_nothing():
    found = figures("stopped", "--every", 90, "--seconds", 2)
    assert found["stops"] >= 2


@pytest.mark.parametrize(
    "arguments",
    cases(
        ["--places", "file", "memory", "--every", 1511],
        thorough=[["--places", "bucket", "icechunk", "--verbs", "upsert", "refresh", "--every", 401]],
    ),
)
def test_a_task_that_is_cancelled_at_a_step_leaves_all_of_its_change_or_nothing(arguments):
    found = figures("cancellation", *arguments)
    assert found["points"] >= 12
    assert found["outcomes"]["cancelled"] > 0


def test_what_becomes_of_a_collection_is_what_becomes_of_a_dictionary():
    assert figures("model", "--examples", 16, "--steps", 20)["counts"]["steps"] > 200


@pytest.mark.parametrize(("every", "least"), cases((199, 6), thorough=[(61, 20)]))
def test_damage_to_a_file_is_detected_or_harmless(every, least):
    assert figures("corruption", "--every", every)["cases"] >= least


def test_input_that_nobody_should_believe_raises_only_our_errors():
    assert figures("bad_input", "--cases", 400)["cases"] >= 400


def test_a_step_of_the_protocol_that_is_taken_away_is_missed():
    found = figures("mutants", "--steps", "user code sees partitions of one version only", "a lost record is detected")
    assert found["caught"] == 2


def test_many_partitions_are_repaired():
    assert figures("repairing", "--partitions", 60)["done"] == 4
