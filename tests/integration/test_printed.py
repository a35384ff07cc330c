"""Whatever is public can be looked at: a few lines that people read, and no call of a constructor over several."""

import datetime as dt
import inspect
import re

import numpy as np
import pytest
from markup import texts_of

import zcollection as zc
from zcollection import plugin
from zcollection.registry.stored import StoredForm

TIMES = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[h]").astype("datetime64[ns]")
SCHEMA = (
    zc.Schema()
    .with_dimension("time", chunks=4096)
    .with_dimension("x", size=24)
    .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
    .with_variable("ssh", dtype="float32", dimensions=("time", "x"), fill_value=np.nan, attrs={"units": "m"})
    .with_variable("power", dtype="int16", dimensions=("time",), fill_value=0, group="/data/ku")
)
NEVER_MADE = {
    "Printed",
    "Computation",
    "Configurable",
    "KeyStore",
    "MergeStrategy",
    "Objects",
    "Partitioning",
    "Store",
} | {*("StoreFork", "StoreSession", "TransactionalStore", "Blocking", "Family")}
"""What plugins derive from, or is no class of values."""


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """Everything that a user meets, by a name for the message; what is of `__all__` by its name there."""
    folder = tmp_path_factory.mktemp("printed")
    schema = SCHEMA.build()
    collection = zc.create_collection(
        f"file://{folder}/base",
        schema=schema,
        axis="time",
        partitioning=zc.partitioning.Date(("time",), resolution="D"),
    )
    rows = {"time": TIMES, "ssh": np.ones((TIMES.size, 24), "f4"), "data/ku/power": np.ones(TIMES.size, "i2")}
    plan, report = collection.plan(rows), collection.insert(rows, source="a.nc")
    computation = zc.computation.Expression({"twice": "2 * ssh"})
    view = zc.create_view(f"file://{folder}/view", base=collection, computation=computation)
    status, refreshed = view.status(), view.refresh()
    whole, lazy = collection.query(), collection.query(lazy=True)
    records = collection.records()
    memory = zc.create_collection(
        "memory://printed", schema=schema, axis="time", partitioning=collection.partitioning, overwrite=True
    )
    by_month = zc.create_collection(
        "memory://by-month", schema=schema, axis="time", partitioning="date:M", overwrite=True
    )
    by_month.insert(rows)
    return {
        "Schema": SCHEMA,
        "DatasetSchema": schema,
        "GroupSchema": schema.groups["data"],
        "VariableSchema": schema.variables["ssh"],
        "Dimension": schema.dimensions["time"],
        "Dataset": whole,
        "Group": whole["data"],
        "Variable": whole["ssh"],
        "lazy dataset": lazy,
        "lazy variable": lazy["ssh"],
        "LazyRows": lazy["ssh"].data,
        "Node": plugin.nodes(whole.schema, whole.all_variables(), whole.attrs)[""],
        "Rows": collection.find("time < '2024-01-03T05'"),
        "PartitionSampling": collection.sampling()[0],
        "Sampling": collection.sampling()[0].sampling,
        "Deliveries": collection.sampling()[0].deliveries,
        "PartitionZones": collection.zones()[0],
        "Zones": collection.zones()[0].zones["time"],
        "Report": collection.report(),
        "Section": plugin.Section("rows"),
        "Table": plugin.Table.pairs("facts", {"rows": 3}),
        "Coverage": collection.coverage(),
        "all partitions": collection.coverage().total,
        "Lateness": collection.coverage().lateness,
        "gaps": collection.coverage().gaps,
        "interval": collection.coverage().intervals[0],
        "Matrix": by_month.coverage().matrix,
        "Collection": collection,
        "View": view,
        "InsertReport": report,
        "plan": plan,
        "ReshapeReport": collection.rewrite(),
        "PartitionReport": report.partitions[0],
        "ViewStatus": status,
        "RefreshReport": refreshed,
        "history": collection.history(),
        "entry of the history": collection.history()[-1],
        "changes": collection.changes(since=0),
        "verified": collection.verify(),
        "repaired": collection.repair(),
        "vacuumed": collection.vacuum(),
        "records": records,
        "record": next(iter(records.values())),
        "Key": collection.keys()[0],
        "stored form": view.computations[0],
        "stored form of many settings": StoredForm("x", {f"setting {number}": number for number in range(1000)}),
        "zarr": collection.zarr(),
        "store": collection.store,
        "blocking": collection.store.blocking,
        "store in memory": memory.store,
        "blocking in memory": memory.store.blocking,
        "Problem": plugin.Problem(
            partition="year=2024", variable="ssh", chunk="c/0", what="the checksum does not match"
        ),
        "Config": zc.config.get(),
        "codecs": zc.codecs.profile("balanced", checksum=True),
        "Date": collection.partitioning,
        "Sequence": zc.partitioning.Sequence(("cycle", "pass")),
        "GroupedSequence": zc.partitioning.GroupedSequence(("cycle", "pass"), size=10),
        "Replace": zc.merge.Replace(),
        "Concat": zc.merge.Concat(),
        "TimeSeries": zc.merge.TimeSeries(),
        "Upsert": zc.merge.Upsert(tolerance=np.timedelta64(1, "s")),
        "Expression": computation,
        "RunningMean": zc.computation.RunningMean("ssh", window=3),
        "RunningMedian": zc.computation.RunningMedian("ssh", window=3),
        "Gradient": zc.computation.Gradient("ssh"),
        "Field": plugin.Field("year", width=4),
        "RowPlan": plugin.RowPlan(np.arange(100_000)),
        "Read": plugin.Read("ssh/c/0/0"),
        "Replacement": plugin.Replacement(target="year=2024/", kept="kept/1/year=2024/", staged="stage/1/year=2024/"),
        "Packing": zc.Packing("int16", scale_factor=1e-4, fill_value=-32768),
        "CalendarTimes": plugin.CalendarTimes(np.arange(1000).view("m8[s]"), "noleap"),
        "Pieces": plugin.Pieces((b"content" * 1000, b"sum")),
        "Listed": plugin.Listed(key="ssh/c/0/0", size=4),
        "StoreURL": plugin.StoreURL.parse("s3://key:secret@host/bucket"),
        "Provides": plugin.Provides("date", target="package.module:Class"),
        "Reclaimed": plugin.Reclaimed(snapshots=1, bytes=2),
        "Commit": plugin.Commit(
            snapshot="0", time=dt.datetime.now(dt.UTC), message="insert", metadata={"x": list(range(1000))}
        ),
    }


def test_every_public_class_has_an_example(examples):
    public = {name: getattr(module, name) for module in (zc, plugin) for name in module.__all__}
    classes = {name for name, value in public.items() if inspect.isclass(value) and not issubclass(value, Exception)}
    assert classes - examples.keys() - NEVER_MADE == set()


def test_what_is_printed_is_short_and_no_long_call_of_a_constructor(examples):
    for name, item in examples.items():
        for text in (repr(item), str(item)):
            lines = text.split("\n")
            assert len(lines) <= 60, name
            assert max(map(len, lines)) <= 250, name
            assert " object at 0x" not in text, name
            assert not re.match(r"\w+\(", text) or (len(lines) == 1 and len(text) <= 200), name


def test_what_a_notebook_shows_is_valid_and_bounded(examples):
    # A report is a page of its own, and is tested as one.
    printed = {name: item for name, item in examples.items() if hasattr(item, "_repr_html_") and name != "Report"}
    shown = {name: item._repr_html_() for name, item in printed.items()}
    assert {"Schema", "DatasetSchema", "VariableSchema", "Variable", "Dataset", "Collection", "View"} <= shown.keys()
    assert {"InsertReport", "PartitionReport", "plan", "history", "verified", "repaired", "vacuumed"} <= shown.keys()
    for name, markup in shown.items():
        assert len(markup) < 40_000, name
        assert texts_of(markup)[0] == repr(examples[name]).split("\n")[0], name
