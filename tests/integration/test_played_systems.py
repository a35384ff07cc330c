"""Collections and views on macOS and Windows, as far as these can be played; what they wrote is read here as anything else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zcollection as zc

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the others are played on a POSIX system")

SUPPORT = Path(__file__).parents[1] / "support"

SCRIPT = """
import json, sys
sys.path.append(sys.argv[1])
import systems
played = systems.play(sys.argv[2], setattr, dict.__setitem__)
import numpy as np
import zcollection as zc
from zcollection.plugin import VariableSchema

def rows(first, platforms):
    times = np.datetime64("2024-01-01", "ns") + np.arange(first, first + len(platforms)) * np.timedelta64(1, "h")
    return {"time": times, "platform": np.array(platforms), "ssh": np.arange(first, first + len(platforms), dtype="float64")}

schema = (
    zc.Schema().with_dimension("time").with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
    .with_variable("platform", dtype="string", dimensions=("time",)).with_variable("ssh", dtype="float64", dimensions=("time",))
)
place = played.seen(sys.argv[3])
collection = zc.create_collection(place, schema=schema, axis="time", partitioning=zc.partitioning.Values(("platform",)))
collection.insert(rows(0, ["S3A", "SWOT", "S3A"]))
collection.insert(rows(10, ["S3A", "SWOT"]), merge="upsert")
collection.update(lambda dataset: {"ssh": dataset["ssh"].to_numpy() * 2}, where="platform == 'SWOT'")
refused = []
for change in (["s3a"], ["X", "x"]):
    try:
        collection.insert(rows(20, change))
    except zc.StoreError as error:
        refused.append(str(error))
collection = zc.open_collection(place, mode="rw")
view = zc.create_view(
    place + played.sep + ".." + played.sep + "view", base=collection,
    variables=[VariableSchema("sum", dtype="float64", dimensions=("time",), fill_value=np.nan)],
)
again = zc.open_collection(str(collection.store.url))
print(json.dumps({
    "refused": refused, "url": str(again.store.url), "partitions": again.partitions(), "problems": len(again.verify(data=True).problems),
    "base": str(zc.open_view(str(view.store.url)).base.store.url),
}))
"""


@pytest.mark.parametrize("kind", ["windows", "windows without links", "macos", "macos without links"])
def test_a_collection_is_made_changed_and_read(kind, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8", newline="\n")
    place = tmp_path / "data" / "of a day"
    done = subprocess.run([sys.executable, script, SUPPORT, kind, place], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    url = f"file://{'/C:' if kind.startswith('windows') else ''}{place.as_posix().replace(' ', '%20')}"
    assert (said["url"], said["base"], said["problems"]) == (url, url, 0)
    assert len(said["refused"]) == 2, "names that differ only in case were taken for one"
    assert all("differs only in case" in text for text in said["refused"])
    assert said["partitions"] == ["platform=S3A", "platform=SWOT"]
    found = zc.open_collection(place).query().all_variables()
    hours = (found["time"].to_numpy() - np.datetime64("2024-01-01")).astype("timedelta64[h]").astype(int)
    expected = {0: ("S3A", 0.0), 1: ("SWOT", 2.0), 2: ("S3A", 2.0), 10: ("S3A", 10.0), 11: ("SWOT", 22.0)}
    assert {
        int(hour): (str(platform), float(ssh))
        for hour, platform, ssh in zip(hours, found["platform"].to_numpy(), found["ssh"].to_numpy(), strict=True)
    } == expected
