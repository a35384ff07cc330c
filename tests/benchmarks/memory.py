"""The most memory that a full query takes, measured in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import values
from attrs import asdict, frozen
from layouts import Codecs, Layout
from peers.base import Peer, UnsupportedError
from workloads import SEED, small_days, wide_months

LAYOUTS = {"W1": wide_months, "W2": small_days}


@frozen(kw_only=True)
class Peak:
    """Resident memory of a process that reads a whole dataset.

    Attributes
    ----------
    workload, peer
        What was read, and by whom.
    nbytes
        Size of the arrays returned.
    baseline
        Bytes after one partition was read, so that all libraries are loaded.
    peak
        Most bytes while everything was read.
    checked
        Whether what was read is right.
    failure
        Why there is no figure.
    """

    workload: str
    peer: str
    nbytes: int = 0
    baseline: int = 0
    peak: int = 0
    checked: bool = False
    failure: str = ""

    @property
    def ratio(self) -> float:
        return (self.peak - self.baseline) / self.nbytes

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | ({} if self.failure else {"ratio": self.ratio})


def layout_of(workload: str, scale: str, codecs: Codecs) -> Layout:
    """Return the layout of a dataset whose query is measured."""
    return LAYOUTS[workload](scale, codecs)


def measure(peers: dict[str, Peer], place: Path, *, scale: str, codecs: Codecs, threads: int) -> list[Peak]:
    """Let every peer write the datasets, and read each in a new process."""
    peaks = []
    for workload in LAYOUTS:
        layout = layout_of(workload, scale, codecs)
        arrays = values.arrays(layout, seed=SEED)
        for name, peer in peers.items():
            folder = place / f"memory-{workload}-{name}"
            task = {"workload": workload, "peer": name, "scale": scale, "codecs": codecs, "threads": threads}
            try:
                peer.prepare(layout)
                peer.insert(folder, layout, arrays)
            except UnsupportedError:
                continue
            peaks.append(_probe(task, folder))
    return peaks


def _probe(task: dict[str, Any], folder: Path) -> Peak:
    command = [sys.executable, str(Path(__file__).with_name("probe.py")), json.dumps(task | {"place": str(folder)})]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        return Peak(workload=task["workload"], peer=task["peer"], failure=lines[-1])
    return Peak(workload=task["workload"], peer=task["peer"], **json.loads(done.stdout))
