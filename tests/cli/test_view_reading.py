"""The verbs that read take the URL of a view as that of a collection, and say of it what Python says."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import zcollection as zc

START = np.datetime64("2024-01-01", "ns")
ROWS = 20
STALE = 3  # the day whose heights have changed since


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    schema = zc.Schema().with_dimension("time", chunks=2).with_dimension("level", size=2)
    schema = schema.with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
    schema = schema.with_variable("height", dtype="float64", dimensions=("time",), fill_value=np.nan)
    schema = schema.with_variable("ok", dtype="bool", dimensions=("time",))
    schema = schema.with_variable("depth", dtype="float64", dimensions=("level",))
    by_day = zc.partitioning.Date(("time",), resolution="D")
    path = tmp_path_factory.mktemp("viewed") / "base"
    made = zc.create_collection(path, schema=schema.build(), axis="time", partitioning=by_day)
    number = np.arange(ROWS)
    made.insert(
        {
            "time": START + number * np.timedelta64(8, "h"),
            "height": number / 10,
            "ok": number % 2 == 0,
            "depth": [1.0, 2.0],
        }
    )
    return made


@pytest.fixture(scope="module")
def view(base):
    made = zc.create_view(
        f"{base.store.url}-view", base=base, computation=zc.computation.Expression({"twice": "height * 2"})
    )
    made.refresh()
    base.update(lambda rows: {"height": rows["height"].to_numpy() + 1}, filters=f"day == {STALE}")
    return made


@pytest.fixture(scope="module")
def url(view):
    return str(view.store.url)


@pytest.fixture(scope="module")
def frame():
    """What the view has, as pandas has it."""
    number = np.arange(ROWS)
    time = pd.DatetimeIndex(START + number * np.timedelta64(8, "h"))
    is_stale = time.day == STALE
    height = np.where(is_stale, number / 10 + 1, number / 10)
    twice = np.where(is_stale, np.nan, 2 * height)
    return pd.DataFrame({"time": time, "height": height, "ok": number % 2 == 0, "twice": twice, "day": time.day})


def data_of(done):
    assert (done.code, done.err) == (0, "")
    return pd.DataFrame(json.loads(done.out)["data"])


def assert_same(found, frame, columns):
    expected = frame[columns].reset_index(drop=True)
    found = found[columns].assign(time=pd.to_datetime(found["time"]), twice=found["twice"].astype("float64"))
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


CONDITIONS = {
    "twice > 1": lambda frame: frame.twice > 1,
    "twice > 0.5 and ok": lambda frame: (frame.twice > 0.5) & frame.ok,
    "isnan(twice) and height > 1.65": lambda frame: frame.twice.isna() & (frame.height > 1.65),
    "day == 2 or twice < 0.3": lambda frame: (frame.day == 2) | (frame.twice < 0.3),
}


@pytest.mark.parametrize("where", CONDITIONS)
def test_rows_are_found_by_variables_of_either_side(command, url, frame, where):
    passing = frame[CONDITIONS[where](frame)]
    columns = ["time", "height", "ok", "twice"]
    assert_same(data_of(command("query", url, "--where", where, "--json")), passing, columns)
    assert_same(data_of(command("head", url, "--where", where, "-n", "2", "--json")), passing[:2], columns)
    assert json.loads(command("count", url, "--where", where, "--json").out) == {"rows": len(passing)}
    found = json.loads(command("find", url, "--where", where, "--json").out)
    assert found["rows"] == len(passing)
    assert [part["key"]["day"] for part in found["partitions"]] == sorted(set(passing.day.tolist()))


def test_all_rows_go_to_a_file(command, url, frame, tmp_path):
    file = tmp_path / "rows.parquet"
    assert command("query", url, "-o", file).code == 0
    found = pd.read_parquet(file).reset_index()
    assert_same(found, frame, ["time", "height", "ok", "twice"])


def test_the_first_rows_of_variables_of_either_side(command, url, frame):
    assert_same(data_of(command("head", url, "-n", "5", "--json")), frame[:5], ["time", "height", "ok", "twice"])
    found = data_of(command("head", url, "--variables", "twice", "-n", "3", "--filter", "day == 2", "--json"))
    assert found.twice.tolist() == frame.twice[frame.day == 2][:3].tolist()
    assert data_of(command("head", url, "--variables", "depth", "--json")).empty


def test_statistics_are_those_of_pandas(command, url, view, frame):
    facts = json.loads(command("stats", url, "--json").out)
    for name in ("height", "twice"):
        values = frame[name].dropna()
        assert (facts[name]["count"], facts[name]["missing"]) == (len(values), ROWS - len(values))
        assert (facts[name]["smallest"], facts[name]["largest"]) == (values.min(), values.max())
        assert facts[name]["mean"] == pytest.approx(values.mean())
        assert facts[name]["stored"] > 0
    some = json.loads(command("stats", url, "--where", "twice > 1", "--variables", "twice,depth", "--json").out)
    assert some["twice"]["count"] == (frame.twice > 1).sum()
    assert some["depth"]["count"] == 2
    assert json.loads(command("stats", url, "--filter", "day == 77", "--json").out)["twice"]["count"] == 0


def test_the_schema_and_the_facts(command, url, base, view):
    assert json.loads(command("schema", url, "--json").out) == json.loads(view.schema.to_json())
    facts = json.loads(command("info", url, "--json").out)
    assert (facts["url"], facts["base"], facts["computed_by"]) == (url, str(base.store.url), ["expression"])
    assert (facts["variables"], facts["rows"], facts["partitions"]) == (1, ROWS, len(base.partitions()))
    assert facts["status"] == {"current": 6, "stale": 1, "missing": 0, "orphaned": 0}
    assert facts["stored_bytes"] > 0
    text = command("info", url).out
    assert f"base          {base.store.url}" in text
    assert "status        6 current, 1 stale, 0 missing, 0 orphaned" in text


def test_what_keeps_it_in_order(command, url, view):
    history = json.loads(command("history", url, "--json").out)
    assert [entry["version"] for entry in history] == [entry.version for entry in view.history()]
    assert json.loads(command("changes", url, "--since", "0", "--json").out)["written"] == list(view.partitions())
    assert command("verify", url).code == 0
    assert command("repair", url).out == "nothing to repair\n"


@pytest.fixture
def moved(base, view, tmp_path):
    """A view whose base lies elsewhere now."""
    base.copy(f"file://{tmp_path}/moved")
    return shutil.copytree(view.store.url.location, tmp_path / "view"), tmp_path / "moved"


def test_another_base_can_be_named(command, moved, frame):
    own, base = moved
    found = data_of(command("query", own, "--base", base, "--where", "height < 0.35", "--json"))
    assert found.height.tolist() == frame.height[frame.height < 0.35].tolist()
    assert found.twice.isna().all()  # of another base nothing is current
    done = command("count", base, "--base", own)
    assert (done.code, done.out) == (1, "")
    assert "for the collection at" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["delete", "--where", "twice > 1", "--yes"],
        ["drop", "--filter", "day == 1", "--yes"],
        ["insert", "file.nc"],
        ["copy", "memory://somewhere"],
        ["ls"],
        ["tree"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_is_done_with_collections_alone_names_the_base(command, url, base, arguments):
    verb, *rest = arguments
    before = base.history()
    done = command(verb, url, *rest)
    assert (done.code, done.out) == (1, "")
    assert f"there is a view at {url}" in done.err
    assert f"the base of the view is the collection at {base.store.url}: pass that URL" in done.err
    assert base.history() == before


class TestUpdate:
    @pytest.fixture
    def own(self, base, tmp_path):
        flag = zc.VariableSchema("quality", dtype="int8", dimensions=("time",), fill_value=-1)
        view = zc.create_view(f"file://{tmp_path}/own", base=base, variables=[flag])
        return view, str(view.store.url)

    def test_variables_of_the_view_are_computed_from_both(self, command, own, frame):
        view, url = own
        done = command("update", url, "--set", "quality = 1", "--where", "height > 1")
        assert (done.code, done.err) == (0, "")
        assert "partitions changed" in done.out
        expected = np.where(frame.height > 1, 1, -1)
        assert view.query()["quality"].to_numpy().tolist() == expected.tolist()

    def test_variables_of_the_base_are_not(self, command, own, base):
        _, url = own
        done = command("update", url, "--set", "height = 1")
        assert (done.code, done.out) == (1, "")
        assert "variable 'height' belongs to the base" in done.err
        assert f"update the collection at {base.store.url}" in done.err

    def test_what_would_change_is_not_told(self, command, own):
        done = command("update", own[1], "--set", "quality = 1", "--dry-run")
        assert (done.code, done.out) == (1, "")
        assert "--dry-run is not supported for the view" in done.err

    def test_a_view_with_a_computation_is_refreshed(self, command, url):
        done = command("update", url, "--set", "twice = 1")
        assert done.code == 1
        assert "refresh" in done.err


def test_keys_are_columns_where_they_are_asked_for(command, url, base, frame):
    for place in (url, str(base.store.url)):
        found = data_of(command("query", place, "--keys", "all", "--where", "height > 1", "--json"))
        passing = frame[frame.height > 1]
        assert found[["year", "month", "day"]].to_numpy().tolist() == [[2024, 1, day] for day in passing.day]
        found = data_of(
            command("head", place, "--keys", "day=number,month", "--variables", "height", "-n", "4", "--json")
        )
        assert [*found.columns] == ["height", "number", "month"]
        assert found.number.tolist() == frame.day[:4].tolist()


def test_keys_go_to_files(command, url, frame, tmp_path):
    assert command("query", url, "--keys", "day", "--variables", "time,twice", "-o", tmp_path / "all.csv").code == 0
    found = pd.read_csv(tmp_path / "all.csv")
    assert found.day.tolist() == frame.day.tolist()
    np.testing.assert_allclose(found.twice, frame.twice)
    done = command("query", url, "--keys", "day", "--where", "twice > 99", "-o", tmp_path / "none.csv")
    assert done.code == 0
    assert [*pd.read_csv(tmp_path / "none.csv").columns] == ["time", "height", "ok", "twice", "day"]
    assert pd.read_csv(tmp_path / "none.csv").empty


@pytest.mark.parametrize(
    ("given", "message"),
    [("cycle", "keys names the field 'cycle'"), ("day=height", "would be read as 'height', and there is a variable")],
)
def test_fields_that_there_are_not_are_rejected(command, url, given, message):
    done = command("query", url, "--keys", given)
    assert (done.code, done.out) == (1, "")
    assert message in done.err
