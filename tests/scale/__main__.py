"""A collection several times larger than memory: ``python tests/scale --bytes 4GB --limit 1GB``.

Each operation runs in a process of its own whose address space is limited (``RLIMIT_AS``), and prints how much of it was
resident at most. What it reads back is checked.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
OPERATIONS = ("insert", "update", "map", "copy", "lazy", "chunks", "verify")


def size(text: str) -> int:
    number, unit = text[:-2], text[-2:].upper()
    if unit not in UNITS or not number.replace(".", "", 1).isdigit():
        message = f"{text!r} is no size; accepted: a number and one of {', '.join(UNITS)}"
        raise argparse.ArgumentTypeError(message)
    return int(float(number) * UNITS[unit])


def run(place: Path, name: str, options: argparse.Namespace) -> dict[str, object]:
    task = {"place": str(place), "bytes": options.bytes, "partition": options.partition, "threads": options.threads}
    command = [sys.executable, str(HERE / "operations.py"), name, json.dumps(task | {"limit": options.limit})]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"operation": name, "failed": done.stderr.strip().splitlines()[-1:]}
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=size, default=size("4GB"), help="size of the arrays (default: 4GB)")
    parser.add_argument("--partition", type=size, default=size("40MB"), help="size of a partition (default: 40MB)")
    parser.add_argument("--limit", type=size, default=size("1GB"), help="address space of a process (default: 1GB)")
    parser.add_argument("--threads", type=int, default=2, help="partitions handled side by side (default: 2)")
    parser.add_argument("--operations", nargs="+", choices=OPERATIONS, default=OPERATIONS)
    parser.add_argument("--place", type=Path, help="directory to work in (default: that of temporary files)")
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="zcollection-scale-", dir=options.place))
    try:
        rows = [run(place, name, options) for name in options.operations]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    failures = [row for row in rows if "failed" in row]
    print(json.dumps({"bytes": options.bytes, "limit": options.limit, "operations": rows}, indent=1))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
