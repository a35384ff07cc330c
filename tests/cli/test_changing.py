"""``zcollection update``, ``delete`` and ``drop`` change what they say, after asking, and nothing else."""

import io
import json
import sys

import numpy as np
import pytest

import zcollection as zc

ROWS = 12


@pytest.fixture
def made(tmp_path):
    """Return a collection of twelve rows in three days."""
    schema = zc.Schema().with_dimension("time").with_dimension("x", size=2)
    schema = schema.with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
    schema = schema.with_variable("ssh", dtype="float32", dimensions=("time", "x"), fill_value=np.nan)
    schema = schema.with_variable("bias", dtype="float64", dimensions=("time",), fill_value=np.nan)
    schema = schema.with_variable("flag", dtype="int8", dimensions=("time",), fill_value=-1)
    schema = schema.with_variable("pass", dtype="int32", dimensions=("time",))
    schema = schema.with_variable("ok", dtype="bool", dimensions=("time",))
    schema = schema.with_variable("name", dtype="string", dimensions=("time",))
    schema = schema.with_variable("seen", dtype="int64", dimensions=("time",), attrs={"units": "days since 2024-01-01"})
    schema = schema.with_variable("angle", dtype="float64", dimensions=("x",))
    collection = zc.create_collection(
        tmp_path / "made",
        schema=schema,
        axis="time",
        partitioning=zc.partitioning.Date(("time",), resolution="D"),
    )
    number = np.arange(ROWS)
    collection.insert(
        {
            "time": np.datetime64("2024-01-01", "ns") + number * np.timedelta64(6, "h"),
            "ssh": np.where(number[:, None] == 5, np.nan, number[:, None] / 10 + np.array([0.0, 1.0])).astype(
                "float32"
            ),
            "bias": number / 4,
            "flag": np.where(number == 7, -1, number % 3).astype("int8"),
            "pass": number.astype("int32"),
            "ok": number % 2 == 0,
            "name": np.array([f"n{one}" for one in number], "T"),
            "seen": number,
            "angle": np.array([1.0, 2.0]),
        }
    )
    return collection


@pytest.fixture
def place(made, tmp_path):
    return tmp_path / "made"


def values(made):
    return {path: variable.to_numpy() for path, variable in made.query().all_variables().items()}


def assert_changed(made, before, **changed):
    after = values(made)
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], changed.get(name, array), err_msg=name)


ASSIGNMENTS = [
    ("ssh = ssh - 0.02", "ssh", lambda v: v["ssh"] - np.float32(0.02)),
    ("ssh = ssh - bias", "ssh", lambda v: (v["ssh"] - v["bias"][:, None]).astype("float32")),
    ("bias = abs(bias - 1) * 2 + pass", "bias", lambda v: np.abs(v["bias"] - 1) * 2 + v["pass"]),
    ("pass = pass * 2", "pass", lambda v: v["pass"] * 2),
    ("pass = bias * 4", "pass", lambda v: (v["bias"] * 4).astype("int32")),
    ("flag = flag + 1", "flag", lambda v: np.where(v["flag"] == -1, -1, v["flag"] + 1).astype("int8")),
    ("flag = 1", "flag", lambda v: np.full(ROWS, 1, "int8")),
    ("bias = flag", "bias", lambda v: np.where(v["flag"] == -1, np.nan, v["flag"])),
    ("ok = False", "ok", lambda v: np.zeros(ROWS, "bool")),
    ("name = 'S6A = x'", "name", lambda v: np.full(ROWS, "S6A = x", dtype="T")),
    ("`seen` = '2024-01-03'", "seen", lambda v: np.full(ROWS, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "compute"), ASSIGNMENTS, ids=[text for text, *_ in ASSIGNMENTS])
@pytest.mark.parametrize("where", [False, True], ids=["all", "where"])
def test_an_assignment_is_computed_as_numpy_does(command, made, place, text, name, compute, where):
    before = values(made)
    wanted = compute(before)
    if where:
        rows = before["pass"] % 4 == 1
        wanted = np.where(rows.reshape(-1, *[1] * (wanted.ndim - 1)), wanted, before[name]).astype(before[name].dtype)
    done = command("update", place, "--set", text, *(["--where", "pass % 4 == 1"] if where else []))
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "3 partitions changed"
    assert_changed(made, before, **{name: wanted})


def test_several_are_computed_from_the_values_before(command, made, place):
    before = values(made)
    done = command(
        "update", place, "--set", "bias = pass", "--set", "pass = bias * 4 + 1", "--filter", "day == 2", "--json"
    )
    assert json.loads(done.out) == {"changed": ["year=2024/month=01/day=02"]}
    rows = slice(4, 8)
    bias, number = before["bias"].copy(), before["pass"].copy()
    bias[rows], number[rows] = before["pass"][rows], before["bias"][rows] * 4 + 1
    assert_changed(made, before, bias=bias, **{"pass": number})


REFUSED = [
    ("ssh", "no assignment"),
    ("ssh == 3", "no assignment"),
    ("shs = 3", "did you mean 'ssh'?"),
    ("ssh = shs + 1", "'shs'"),
    ("ssh = ssh ** 2", "not accepted"),
    ("ssh = __import__('os').getcwd()", "not accepted"),
    ("bias = ssh", "has the dimensions"),
    ("bias = name", "accepted: what it holds"),
    ("ssh = bias > 1", "is not a value"),
    ("flag = flag + 126", "128"),
    ("flag = flag / 2", "0.5"),
    ("pass = flag", "has no fill value"),
    ("pass = '1.5'", "'1.5'"),
    ("seen = 'soon'", "'soon'"),
    ("ssh = 1e300", "1e+300"),
    ("ok = pass", "which 'ok' (bool) cannot hold"),
    ("angle = 3", "stored once"),
    ("time = '2025-01-01'", "moves rows"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[text for text, _ in REFUSED])
def test_what_cannot_be_held_or_understood_changes_nothing(command, made, place, text, said):
    before, version = values(made), made.history()[-1].version
    done = command("update", place, "--set", text)
    assert (done.code, done.out) == (1, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert "unexpected" not in done.err
    assert made.history()[-1].version == version
    assert_changed(made, before)


def test_a_dry_run_of_an_update_tells_the_rows(command, made, place):
    before = values(made)
    done = command("update", place, "--set", "bias = 0", "--where", "flag == 0", "--dry-run", "--json")
    assert json.loads(done.out)["rows"] == dict(made.find("flag == 0").report.rows)
    assert command("update", place, "--set", "bias = nothing", "--dry-run").code == 1
    assert_changed(made, before)


def test_delete_needs_a_yes(command, made, place):
    done = command("delete", place, "--where", "flag == 0")
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert made.count() == ROWS
    wanted = {path: ranges.tolist() for path, ranges in made.find("flag == 0").ranges.items()}
    planned = command("delete", place, "--where", "flag == 0", "--dry-run", "--json")
    assert list(json.loads(planned.out)["rows"]) == list(wanted)
    assert made.count() == ROWS
    deleted = command("delete", place, "--where", "flag == 0", "--yes", "--json")
    assert json.loads(deleted.out)["total"] == 4
    assert made.count("flag == 0") == 0
    assert made.count() == ROWS - 4


def test_delete_without_a_condition_is_no_command(command, made, place):
    assert command("delete", place, "--yes").code == 2
    assert made.count() == ROWS


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--filter", "day == 2"], [1, 3]),
        (["--older-than", "2024-01-03"], [3]),
        (["--older-than", "1d"], []),
        (["--older-than", "1d", "--filter", "day < 3"], [3]),
        (["--older-than", "2023-01-01"], [1, 2, 3]),
    ],
)
def test_drop(command, made, place, options, left):
    before = made.partitions()
    assert command("drop", place, *options).code == 2
    kept = tuple(path for path in before if int(path[-2:]) in left)
    gone = [path for path in before if path not in kept]
    assert json.loads(command("drop", place, *options, "--dry-run", "--json").out) == {"would_drop": gone}
    assert made.partitions() == before
    assert json.loads(command("drop", place, *options, "--yes", "--json").out) == {"dropped": gone}
    assert made.partitions() == kept


@pytest.mark.parametrize("options", [[], ["--older-than", "some day"], ["--filter", "mnth == 1"]])
def test_drop_of_nobody_knows_what(command, made, place, options):
    done = command("drop", place, *options, "--yes")
    assert (done.code, done.out) == (1, "")
    assert len(made.partitions()) == 3


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_on_a_terminal_it_asks(command, made, place, monkeypatch, answer, code):
    typed = io.StringIO(answer)
    typed.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", typed)
    done = command("delete", place, "--where", "flag == 0")
    assert done.code == code
    assert "Delete 4 rows of 3 partitions?" in done.err + done.out
    assert made.count() == (ROWS - 4 if code == 0 else ROWS)
