"""``zcollection report`` writes the file that the library makes."""

import json

import numpy as np
import pytest

import zcollection as zc


@pytest.fixture
def url(tmp_path):
    schema = zc.Schema().with_dimension("time").with_variable("time", dtype="datetime64[s]", dimensions=("time",))
    made = zc.create_collection(tmp_path / "c", schema=schema, axis="time", partitioning="date:D")
    made.insert({"time": np.datetime64("2024-01-01", "s") + np.arange(72) * np.timedelta64(1, "h")})
    height = zc.VariableSchema("height", dtype="float32", dimensions=("time",))
    zc.create_view(tmp_path / "v", base=made, variables=[height])
    return f"{tmp_path}/c"


def test_it_writes_a_file_and_says_so(command, url, tmp_path):
    done = command("report", url, "-o", tmp_path / "r.html", "--title", "[red]Hours[/red]", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told == {
        "file": f"{tmp_path}/r.html",
        "bytes": (tmp_path / "r.html").stat().st_size,
        "title": "[red]Hours[/red]",
    }
    assert "<h1>[red]Hours[/red]</h1>" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_it_writes_a_view_too(command, url, tmp_path):
    done = command(
        "report", tmp_path / "v", "-o", tmp_path / "r.html", "--sample", "all", "--every", "2 h", "--gap", "3 h"
    )
    assert done.code == 0, done.err
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "State of the view" in text
    assert "one every 2 h (given by the caller)" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--open", "perhaps"), "--open perhaps; accepted: yes or no"),
        (("--sample", "some"), "--sample some; accepted: an integer of at least 1, or 'all'"),
        (("--sample", "0"), "sample=0; accepted: an integer of at least 1"),
        (("--every", "soon"), "accepted: a duration"),
        (("-o", "{there}"), "accepted: another name, or --overwrite"),
    ],
)
def test_what_it_does_not_accept_it_says(command, url, tmp_path, options, message):
    (tmp_path / "there.html").write_text("mine")
    given = [option.format(there=tmp_path / "there.html") for option in options]
    done = command("report", url, *([] if "-o" in options else ["-o", tmp_path / "r.html"]), *given)
    assert done.code == 1
    assert message in done.err
    assert (tmp_path / "there.html").read_text() == "mine"
    assert not (tmp_path / "r.html").exists()


def test_it_opens_a_browser_where_that_is_asked_for(command, url, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert command("report", url, "-o", tmp_path / "r.html", "--open", "yes").code == 0
    assert opened == [(tmp_path / "r.html").as_uri()]
