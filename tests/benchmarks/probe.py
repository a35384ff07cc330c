"""The process whose memory is measured: reads one dataset, and prints what that took, as JSON."""

import gc
import json
import resource
import sys
from contextlib import suppress
from pathlib import Path

import memory
import peers
import values
from checks import check
from workloads import SEED

_STATUS = Path("/proc/self/status")


def main(task: dict) -> dict:
    """Read one partition, then everything."""
    layout = memory.layout_of(task["workload"], task["scale"], task["codecs"])
    peer, place = peers.make(task["peer"], threads=task["threads"]), Path(task["place"])
    peer.query(place, layout, partition=layout.partitions[0])
    gc.collect()
    forget_peak()
    baseline = resident()
    found = peer.query(place, layout)
    most = peak()
    check(found, values.arrays(layout, seed=SEED), sort=not peer.keeps_order)
    nbytes = sum(array.nbytes for array in found.values())
    return {"nbytes": nbytes, "baseline": baseline, "peak": most, "checked": True}


def forget_peak() -> None:
    """Let the system count the peak from here on; `ru_maxrss` would even inherit that of the parent process."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def resident() -> int:
    """Return the bytes that the process holds."""
    return _status("VmRSS") if _STATUS.exists() else peak()


def peak() -> int:
    """Return the most bytes that it has held."""
    if _STATUS.exists():
        return _status("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(name: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
