"""The shell completes verbs, options, and what has few values; a verb costs what it needs, and no more."""

import subprocess
import sys

import pytest

import zcollection as zc


def run(*arguments):
    code = "import sys; from zcollection.cli import main; sys.argv[0] = 'zcollection'; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("zcollection in", {"info", "insert"}),
        ("zcollection insert x y --merge up", {"upsert"}),
        ("zcollection create x --codecs cloud", {"cloud-balanced", "cloud-cold"}),
        ("zcollection drop x --old", {"--older-than"}),
    ],
)
def test_bash_completes(command, monkeypatch, typed, expected):
    for name, value in (
        ("_ZCOLLECTION_COMPLETE", "complete_bash"),
        ("COMP_WORDS", typed),
        ("COMP_CWORD", str(typed.count(" "))),
    ):
        monkeypatch.setenv(name, value)
    assert set(command().out.split()) == expected


def test_a_verb_loads_no_library_that_it_does_not_need(url):
    code = (
        "import sys, atexit\n"
        "heavy = {'pandas', 'xarray', 'pyarrow', 'dask', 'zcollection.cli.sources', 'zcollection.cli.statistics'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules))))\n"
        "from zcollection.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "ls", url], capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "[]"


def test_from_a_file_to_a_collection_in_processes_of_their_own(tmp_path):
    (tmp_path / "rows.csv").write_text("time,height\n2024-01-01,0.5\n2024-02-01T06:00,1.5\n")
    place = tmp_path / "made"
    for arguments in (
        ["create", place, "--from", tmp_path / "rows.csv", "--axis", "time", "--by", "date:M"],
        ["insert", place, tmp_path / "rows.csv"],
    ):
        done = run(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), arguments
    assert zc.open_collection(place).query()["height"].to_numpy().tolist() == [0.5, 1.5]
