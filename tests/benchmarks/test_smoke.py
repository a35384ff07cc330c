"""The benchmarks in their smallest size: that every peer reads what it was given, never how long it takes."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from effort import thorough_only

HERE = Path(__file__).parent
NEEDED = {
    "deltalake": ("deltalake", "pyarrow"),
    "duckdb": ("duckdb", "pyarrow"),
    "parquet": ("pyarrow",),
    "tensorstore": ("tensorstore",),
    "xarray": ("xarray",),
}
MISSING = {name for name, libraries in NEEDED.items() if not all(map(importlib.util.find_spec, libraries))}
PEERS = {"ours", "floor", "floor-1", "zarr", "zarr-async", *NEEDED} - {"duckdb"}
ASKED = {"ours", "no-statistics", "mask", "arrow", "duckdb", "parquet"}


def run(*arguments):
    command = [sys.executable, str(HERE), *arguments, "--scale", "smoke", "--threads", "2"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    file = tmp_path_factory.mktemp("benchmarks") / "out.json"
    done = run("W1", "W1p", "W2b", "W3", "W4", "--peers", "all", "--rounds", "1", "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(file.read_text())


def test_every_peer_reads_what_it_was_given(measured):
    unchecked = [item for item in measured["results"] if not item["checked"] and not item.get("unsupported")]
    assert unchecked == []


def test_every_peer_takes_part_and_a_missing_library_is_reported(measured):
    assert measured["missing"].keys() == MISSING
    assert {item["peer"] for item in measured["results"] if item["checked"]} == PEERS - MISSING


def test_every_operation_is_done_by_every_peer_that_has_it(measured):
    operations = {(item["workload"], item["variant"], item["operation"]) for item in measured["results"]}
    assert len(operations) == 3 + 5 + 2 + 3 + 8
    skipped = {(item["operation"], item["peer"]) for item in measured["results"] if item.get("unsupported")}
    skipped = {
        (operation, peer) for operation, peer in skipped if operation != "query all, plain xarray"
    }  # of ours alone
    assert {peer for _, peer in skipped} <= {"deltalake"}
    assert ("append a day, upsert", "deltalake") not in skipped


def test_peers_that_write_zarr_write_the_same_chunks(measured):
    written = {
        (item["variant"], item["peer"]): item["chunks"]
        for item in measured["results"]
        if item["operation"] == "insert" and item["checked"]
    }
    for variant in ("W1", "W2", "W4"):
        for peer in {"floor", "floor-1", "zarr", "zarr-async", "xarray", "tensorstore"} - MISSING:
            assert written[variant, peer] == written[variant, "ours"], (variant, peer)


ON_OBJECT_STORAGE = {"ours", "zarr", "zarr-async", "xarray"}


@thorough_only()
def test_on_object_storage_requests_are_counted_and_every_peer_reads_what_it_was_given(tmp_path):
    file = tmp_path / "out.json"
    done = run("W6", "--peers", "zarr,zarr-async,xarray,parquet", "--rounds", "1", "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    results = {(item["operation"], item["peer"]): item for item in json.loads(file.read_text())["results"]}
    found = {key: item for key, item in results.items() if not item.get("unsupported")}
    assert {peer for _, peer in found} == ON_OBJECT_STORAGE - MISSING
    assert all(item["checked"] for item in found.values())
    assert len({item["chunks"] for (operation, _), item in found.items() if operation == "insert"}) == 1
    requests = {key: item["requests"][0] for key, item in found.items()}
    assert sum(requests["insert", "ours"].get(kind, 0) for kind in ("PUT", "CREATE")) >= 2 * 8
    for peer in {"zarr", "xarray"} - MISSING:
        assert sum(requests["query all", "ours"].values()) < sum(requests["query all", peer].values())


def test_every_peer_that_is_asked_for_rows_returns_the_same(tmp_path):
    file = tmp_path / "out.json"
    done = run("W7", "--peers", "all", "--rounds", "1", "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(file.read_text())["results"]
    assert all(item["checked"] for item in results)
    asked = {(item["operation"], item["peer"]): item for item in results if item["workload"] == "W7a"}
    assert {peer for _, peer in asked} == ASKED - MISSING
    assert len({operation for operation, _ in asked}) == 5
    read = {peer: asked["box", peer]["counts"]["chunks read"] for peer in ("ours", "mask")}
    assert asked["box", "ours"]["counts"]["chunks with such rows"] <= read["ours"] < read["mask"]
    inserted = {(item["workload"], item["peer"]): item["files"] for item in results if item["operation"] == "insert"}
    for workload in ("W7c", "W7d"):
        assert inserted[workload, "ours"] == inserted[workload, "no-statistics"] + 2  # partitions
    assert all(item["received"][0] > 0 for item in results if item["workload"] == "W7e")
    assert {item["peer"] for item in results if item["workload"] == "W7f"} == {"ours", "arrow", "duckdb"} - MISSING


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="distributed is not installed")
def test_updates_in_other_processes_write_the_right_values(tmp_path):
    file = tmp_path / "out.json"
    done = run("W5", "--peers", "floor", "--rounds", "1", "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    results = [item for item in json.loads(file.read_text())["results"] if item["peer"] == "ours"]
    assert [item["checked"] for item in results] == [True] * 6


def test_memory_is_measured_in_a_process_that_reads_the_right_values(tmp_path):
    file = tmp_path / "out.json"
    done = run("memory", "--peers", "floor", "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    peaks = json.loads(file.read_text())["memory"]
    assert {(item["workload"], item["peer"]) for item in peaks} == {
        (w, p) for w in ("W1", "W2") for p in ("ours", "floor")
    }
    assert all(item["checked"] and item["peak"] >= item["baseline"] > 0 for item in peaks)


@thorough_only()
def test_every_round_is_timed_and_no_directory_is_left_behind(tmp_path):
    file, place = tmp_path / "out.json", tmp_path / "place"
    place.mkdir()
    done = run("W2", "--peers", "floor", "--rounds", "3", "--place", str(place), "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert {len(item["seconds"]) for item in json.loads(file.read_text())["results"]} == {3}
    assert list(place.iterdir()) == []


WRONG = {
    "a value": {"time": [1, 2, 3], "ssh": [0.0, 1.0, 9.0]},
    "the order": {"time": [3, 2, 1], "ssh": [2.0, 1.0, 0.0]},
    "a row": {"time": [1, 2], "ssh": [0.0, 1.0]},
    "a variable": {"time": [1, 2, 3]},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_result_is_found(wrong, monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    import checks

    wanted = {"time": np.array([1, 2, 3]), "ssh": np.array([0.0, 1.0, 2.0])}
    checks.check({name: values.copy() for name, values in wanted.items()}, wanted)
    with pytest.raises(checks.WrongResultError):
        checks.check({name: np.array(values) for name, values in wrong.items()}, wanted)
