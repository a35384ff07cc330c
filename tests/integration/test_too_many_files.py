"""A process that can open no more files: an error of ours that says what to do, nothing lost, and all is well afterwards."""

import subprocess
import sys
from pathlib import Path

import entries
import pytest
from effort import cases

import zcollection as zc

pytest.importorskip("resource", reason="Windows has no limit of open files to set")

CHILD = """
import os, resource, sys
sys.path.insert(0, sys.argv[1])
import entries
import zcollection as zc

url, spare = sys.argv[2], int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    for _ in range(spare):
        os.close(held.pop())


def attempt(name, operation):
    try:
        operation()
    except zc.StoreError as error:
        assert "oo many open files" in str(error) and "raise the limit (ulimit -n), and run the operation again" in str(error), error
        print(name, "refused")
    else:
        print(name, "done")


def opened():
    return zc.open_collection(url, mode="rw")


for number in range(2):
    attempt("open", opened)
    attempt("query", lambda: opened().query())
    attempt("lazy", lambda: opened().query(lazy=True)["value"].to_numpy())
    attempt(f"insert {number}", lambda: opened().insert(entries.rows([10 + number]), merge="upsert"))
    attempt("vacuum", lambda: opened().vacuum())
for descriptor in held:
    os.close(descriptor)
opened().insert(entries.rows([99]), merge="upsert")
print("insert 89 done")
"""


@pytest.mark.parametrize("spare", cases(0, 2, 5, thorough=[1, 3, 9]))
@pytest.mark.parametrize("scheme", ["file", "icechunk"])
def test_a_process_without_files_to_open(scheme, spare, tmp_path):
    url = f"{scheme}://{tmp_path}/collection"
    entries.create(url).insert(entries.rows([1]))
    support = str(Path(entries.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, support, url, str(spare)],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    acknowledged = {10 + int(line.split()[1]) for line in lines if line.startswith("insert") and line.endswith("done")}
    if spare == 0:
        assert lines[:-1] == [line for line in lines if line.endswith("refused")]
    collection = zc.open_collection(url)
    assert {1, 99} | acknowledged == set(entries.read(collection))
    assert collection.verify(data=True).is_clean
