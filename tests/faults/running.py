"""What the commands share: processes started, a place to work in, and figures printed."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zcollection.testing.servers import running_ministack, running_moto

HERE = Path(__file__).parent
SHARED_MEMORY = Path("/dev/shm")


@contextmanager
def working_directory() -> Iterator[Path]:
    parent = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    path = Path(tempfile.mkdtemp(prefix="zcollection-faults-", dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


SERVERS = {"moto": running_moto, "ministack": running_ministack}
PLACES = ("file", *SERVERS, "icechunk", *(f"icechunk+{server}" for server in SERVERS))


@contextmanager
def place(name: str, work: Path) -> Iterator[str]:
    """Return where a collection may lie: a directory, or a bucket of a server that runs meanwhile."""
    plugin, _, server = name.rpartition("+")
    if server not in SERVERS:
        yield str(work / "collection") if name == "file" else f"{name}://{work}/collection"
        return
    with SERVERS[server](work / "log") as running:
        running.create_bucket("bucket")
        os.environ |= {
            "AWS_ENDPOINT_URL": running.endpoint,
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_REGION": "us-east-1",
        }
        yield f"{plugin}+s3://bucket/collection".lstrip("+")


def start(*arguments: object, **options: object) -> "subprocess.Popen[str]":
    """Start `writers.py`."""
    command = [sys.executable, str(HERE / "writers.py"), *map(str, arguments)]
    return subprocess.Popen(command, text=True, **options)


def watchers(place: Path, stop: Path, count: int) -> "list[subprocess.Popen[str]]":
    return [start("watch", place, stop, stdout=subprocess.PIPE) for _ in range(count)]


def watched(readers: "list[subprocess.Popen[str]]", stop: Path) -> dict[str, object]:
    """Let the readers end, and return what they saw."""
    stop.touch()
    lines = [reader.communicate(timeout=500)[0].rstrip("\n").split("\t") for reader in readers]
    return {
        "queries": sum(int(line[0]) for line in lines),
        "bad": sum(int(line[1]) for line in lines),
        "longest query": max(float(line[2]) for line in lines),
        "seen": [text for line in lines for text in line[3:]],
    }


def finish(figures: dict[str, object], *, faults: int) -> None:
    """Print the figures, and exit with 1 if there were faults."""
    print(json.dumps(figures | {"faults": faults}, indent=1))
    sys.exit(1 if faults else 0)
