"""How often the repository is asked: as often beside few partitions as beside many."""

import numpy as np
import pytest
from counting import counting
from zcollection_store_icechunk.hierarchy import Hierarchy

import zcollection as zc

DAY = 86_400 * 10**9
NAMES = ["time", *(f"v{number}" for number in range(7))]
SCHEMA = zc.Schema().with_dimension("time", chunks=8)
for name in NAMES:
    SCHEMA = SCHEMA.with_variable(name, dtype="int64" if name == "time" else "float64", dimensions=("time",))


def days(numbers):
    times = np.asarray(numbers, dtype="int64") * DAY
    return {name: times if name == "time" else times / DAY for name in NAMES}


@pytest.fixture
def asked(monkeypatch):
    """Count what is read and listed of the repository."""
    return counting(monkeypatch, Hierarchy, lambda key: "chunk" if "/c/" in key else "document")


def test_a_query_of_one_day_asks_for_what_it_reads(asked, tmp_path):
    found = []
    for count in (40, 160):
        url = f"icechunk://{tmp_path}/{count}"
        partitioning = zc.partitioning.Date(("time",), resolution="D")
        zc.create_collection(url, schema=SCHEMA.build(), axis="time", partitioning=partitioning).insert(
            days(range(count))
        )
        asked.clear()
        opened = zc.open_collection(url)
        assert opened.query(filters="year == 1970 and month == 2 and day == 3")["v6"].to_numpy().tolist() == [33]
        found.append(dict(asked))
    assert found[0] == found[1], "nothing scales with the partitions that are not selected"
    assert found[0] == {"chunk": len(NAMES), "document": 4, "list": 3}
