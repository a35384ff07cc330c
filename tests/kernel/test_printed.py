"""What is printed of collections, views and reports: what people want to know, bounded, and without asking the store."""

import pickle
import sys
import types

import fakes
import numpy as np
import pytest
import samples
from markup import texts_of

import zcollection as zc
from zcollection.collection.maintain.verify import RepairReport, VerifyReport
from zcollection.transaction.reports import Changes, History, HistoryEntry, Problem, VacuumReport

SCRIPT = "<script>alert(1)</script>"
FLAG = zc.VariableSchema("quality", dtype="int8", dimensions=("row",), fill_value=-1)


def entry(number, **more):
    given = {"operation": "insert", "partitions": 2, "rows": 1234, "source": None, "writer": "host:1", **more}
    return HistoryEntry(version=number, time="2024-01-01T00:00:00.000+00:00", **given)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    """These are the kernel's own: what zcollection-report shows is tested with it."""
    monkeypatch.setitem(sys.modules, "zcollection_report", None)


def test_a_collection_shows_its_place_and_its_parts(url):
    lines = repr(samples.create(url)).splitlines()
    assert lines == [
        f"<zcollection.Collection {url} (read and write)>",
        "    axis:          time (dimension row)",
        "    partitioning:  quotient(variables=['time'], divisor=10, dimension=None)",
        "    variables:     time, value, swath, angle, deep/er/flag",
    ]
    samples.create(f"{url}-other")
    assert repr(zc.open_collection(f"{url}-other")).startswith(f"<zcollection.Collection {url}-other (read-only)>")


def test_in_a_notebook_a_collection_shows_its_schema_too(url):
    texts = texts_of(samples.create(url)._repr_html_())
    assert texts[:3] == [f"<zcollection.Collection {url} (read and write)>", "axis:", "time (dimension row)"]
    for part in ("Dimensions", "Variables", "(row, x)", "float32", "flag", "er", "Attributes", "sample"):
        assert part in texts


def test_in_a_notebook_a_view_shows_its_own_variables(url):
    view = zc.create_view(f"{url}-view", base=samples.create(url), variables=[FLAG])
    texts = texts_of(view._repr_html_())
    assert {f"{url}", "update()", "quality", "int8", "-1"} <= set(texts)
    assert "swath" not in texts


@pytest.mark.parametrize("fails", [ValueError, zc.CorruptionError, RecursionError])
def test_where_pictures_fail_the_text_is_shown(url, monkeypatch, fails):
    def shown(_):
        raise fails("no pictures today")

    monkeypatch.setitem(sys.modules, "zcollection_report", types.ModuleType("zcollection_report"))
    notebook = types.ModuleType("zcollection_report.notebook")
    monkeypatch.setitem(sys.modules, "zcollection_report.notebook", notebook)
    notebook.shown = shown
    collection = samples.create(url)
    assert "axis:" in texts_of(collection._repr_html_())
    assert "create" in texts_of(collection.history()._repr_html_())
    notebook.shown = "<b>{}</b>".format
    assert collection._repr_html_().startswith("<b>")


def test_printing_asks_the_store_for_nothing(url, monkeypatch):
    collection = samples.create(url, [1, 15])
    view = zc.create_view(f"{url}-view", base=collection, variables=[FLAG])
    lazy = collection.query(lazy=True)
    seen = [
        collection,
        view,
        view.base,
        lazy,
        lazy["value"],
        lazy["value"].data,
        collection.records(),
        collection.store,
    ]

    def asked(*_, **__):
        raise AssertionError("the store was asked")

    for method in ("get", "put", "create", "list"):
        monkeypatch.setattr(fakes.DictStore, method, asked)
    for item in seen:
        assert repr(item)
        assert str(item)
        assert getattr(item, "_repr_html_", item.__repr__)()
    with pytest.raises(AssertionError, match="asked"):
        collection.partitions()


def test_credentials_are_not_printed():
    collection = samples.create("dict://key:swordfish@host/printed", [1])
    view = zc.create_view("dict://key:swordfish@host/printed-view", base=collection, variables=[FLAG])
    collection.insert(samples.rows([2]), source="https://me:swordfish@host/file.nc?token=swordfish")
    for item in (collection, view, view.base, collection.store, collection.history(), collection.history()[-1]):
        assert "swordfish" not in repr(item) + str(item) + getattr(item, "_repr_html_", str)()
    assert "https://***@host/file.nc?***" in repr(collection.history())


def test_an_insert_shows_what_became_of_the_rows_of_each_partition(url):
    collection = samples.create(url, [1, 2, 15])
    report = collection.insert(samples.rows([3, 25]), merge="append")
    assert repr(report).splitlines() == [
        f"<zcollection.InsertReport> {report}",
        "    path                  created  added  replaced  dropped  unchanged",
        "    sign=plus/quotient=0  no           1         0        0          2",
        "    sign=plus/quotient=2  yes          1         0        0          0",
    ]
    assert {"path", "unchanged", "sign=plus/quotient=2"} <= set(texts_of(report._repr_html_()))
    (first, _) = report.partitions
    assert repr(first) == (
        "<zcollection.PartitionReport path: sign=plus/quotient=0, created: False, added: 1, replaced: 0, dropped: 0, "
        "unchanged: 2>"
    )
    assert repr(collection.plan(samples.rows([3]))).startswith("<zcollection.InsertReport> 1 partitions (0 new)")


def test_the_history_is_a_table(url):
    collection = samples.create(url)
    collection.insert(samples.rows([1, 15]), source=f"{SCRIPT}.nc")
    history = collection.history()
    title, header, created, inserted = repr(history).splitlines()
    assert title == "<zcollection.History> 2 versions"
    assert header.split() == ["version", "time", "operation", "partitions", "rows", "source"]
    assert (created.split()[0], created.split()[2:]) == ("0", ["create", "0", "0"])
    assert (inserted.split()[0], inserted.split()[2:]) == ("1", ["insert", "2", "2", f"{SCRIPT}.nc"])
    assert f"{SCRIPT}.nc" in texts_of(history._repr_html_())
    assert repr(history[1]).startswith("<zcollection.HistoryEntry version: 1, time: ")


def test_the_history_is_a_tuple_as_ever(url):
    history = samples.create(url, [1]).history()
    assert isinstance(history, tuple)
    assert history == tuple(history)
    assert pickle.loads(pickle.dumps(history)) == history
    assert type(pickle.loads(pickle.dumps(history))) is History


def test_of_a_long_history_the_newest_versions_are_shown():
    lines = repr(History(map(entry, range(5000)))).splitlines()
    assert lines[:2] == ["<zcollection.History> 5,000 versions", "… 4,960 older"]
    assert len(lines) == 43
    assert lines[-1].split() == ["4999", "2024-01-01T00:00:00.000+00:00", "insert", "2", "1,234"]


def test_reports_show_what_they_hold():
    problem = Problem(partition="year=2024", variable="ssh", chunk="ssh/c/0", what="it is missing")
    verified = VerifyReport(version=3, partitions=5, chunks=15, problems=(problem,), notes=("x is not ours",))
    assert repr(verified).splitlines() == [
        "<zcollection.VerifyReport version: 3, partitions: 5, chunks: 15, chunks_read: 0, problems: 1, notes: 1>",
        "Problems:",
        "    partition 'year=2024', variable 'ssh', chunk 'ssh/c/0': it is missing",
        "Notes:",
        "    x is not ours",
    ]
    assert repr(problem) == (
        "<zcollection.Problem partition: year=2024, variable: ssh, chunk: ssh/c/0, what: it is missing>"
    )
    assert repr(RepairReport(done=("put back",), remaining=())).splitlines() == [
        "<zcollection.RepairReport done: 1, remaining: 0>",
        "Done:",
        "    put back",
    ]
    assert (
        repr(VacuumReport(stages=1, bytes=9, versions=0))
        == "<zcollection.VacuumReport stages: 1, groups: 0, bytes: 9, versions: 0>"
    )


def test_long_reports_are_shown_in_part():
    paths = tuple(f"cycle={number}/{SCRIPT}" for number in range(100_000))
    problems = tuple(Problem(partition=path, what="x" * 1000) for path in paths)
    for report in (
        Changes(version=1, written=paths, dropped=paths),
        zc.RefreshReport(computed=paths, dropped=paths, waiting=paths),
        zc.ViewStatus(current=paths, stale=paths, missing=paths, orphaned=paths),
        VerifyReport(version=1, partitions=1, chunks=1, problems=problems, notes=paths),
        RepairReport(done=paths, remaining=problems),
        zc.InsertReport(
            tuple(
                zc.PartitionReport(path=path, created=True, added=1, replaced=2, dropped=3, unchanged=4)
                for path in paths
            )
        ),
    ):
        lines = repr(report).splitlines()
        assert len(lines) < 100
        assert max(map(len, lines)) < 250
        assert any("… 99,9" in line for line in lines)
        assert "100,000" in lines[0] or "100000" in lines[0]
        assert any(SCRIPT in text for text in texts_of(report._repr_html_()))


def test_records_are_a_table_and_each_is_one_line(url):
    records = samples.create(url, [1, 2, 15]).records()
    lines = repr(records).splitlines()
    assert lines[:2] == ["<zcollection.Partitions> 2 partitions", "    partition             rows  bytes"]
    assert [line.split()[:2] for line in lines[2:]] == [["sign=plus/quotient=0", "2"], ["sign=plus/quotient=1", "1"]]
    first = next(iter(records.values()))
    assert repr(first) == f"<zcollection.PartitionRecord sign=plus, quotient=0: 2 rows, {first.stored_bytes:,} bytes>"


def test_a_lazy_array_shows_what_it_is(url):
    lazy = samples.create(url, [1, 15]).query(lazy=True)
    assert repr(lazy["swath"].data) == "<zcollection.LazyRows swath (2, 2) float32>"
    assert "values:      <lazy LazyRows>" in repr(lazy["swath"])


def test_a_plan_of_rows_shows_how_many_there_are():
    plan = zc.plugin.RowPlan(np.arange(5000), replaced=3)
    assert repr(plan) == "RowPlan(source=<5,000 rows>, replaced=3)"


def test_a_report_is_asked_for_where_it_is_not_installed(url):
    with pytest.raises(zc.MissingDependencyError, match=r"pip install 'zcollection\[report\]'"):
        samples.create(url).report()
