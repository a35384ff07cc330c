"""Writers are killed, stopped and restarted at random while others read: ``python tests/faults/chaos.py --seconds 60``."""

import argparse
import os
import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import ledger
import running

import zcollection as zc

_MANY = 10**6


def acknowledged(logs: list[Path]) -> int:
    return sum(len(ledger.Acknowledged(log).entries()) for log in logs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--readers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--least", type=int, default=0, help="rows acknowledged before it ends, however long that takes"
    )
    parser.add_argument("--place", choices=running.PLACES, default="file")
    parser.add_argument("--longest-stop", type=float, default=0.5, help="seconds for which a writer is stopped at most")
    parser.add_argument("--lease", type=int, default=2, help="seconds, where there is no lock")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with running.working_directory() as work, ExitStack() as stack:
        os.environ["ZCOLLECTION_LEASE"] = str(options.lease)
        stack.enter_context(zc.config.using(lease=options.lease))
        place, stop = stack.enter_context(running.place(options.place, work)), work / "stop"
        ledger.create(place)
        readers = running.watchers(place, stop, options.readers)
        logs, writers, kills, pauses = [], [], 0, 0

        def restart():
            logs.append(work / f"acknowledged-{len(logs)}")
            # Within a day there is room for the entries of 86,000 lives.
            return running.start("write", place, logs[-1], len(logs) * 1000, _MANY)

        end = time.monotonic() + options.seconds
        writers = [restart() for _ in range(options.writers)]
        while time.monotonic() < end or acknowledged(logs) < options.least or not kills:
            if kills and time.monotonic() > end + options.seconds:
                time.sleep(1)  # on a machine that is so slow that nobody lives long enough, nobody is killed any more
                continue
            time.sleep(chance.uniform(0.05, 0.5))
            victim = chance.randrange(len(writers))
            if chance.random() < 0.2:
                writers[victim].send_signal(signal.SIGSTOP)
                time.sleep(chance.uniform(0.1, options.longest_stop))
                writers[victim].send_signal(signal.SIGCONT)
                pauses += 1
                continue
            writers[victim].kill()
            writers[victim].wait()
            kills += 1
            writers[victim] = restart()
        for writer in writers:
            writer.kill()
            writer.wait()
        figures = running.watched(readers, stop)
        ledger.enter(place, [0])
        found = ledger.verdict(place, [entry for log in logs for entry in ledger.Acknowledged(log).entries()])
    faults = figures["bad"] + ledger.faults(found)
    running.finish(figures | found | {"kills": kills, "pauses": pauses}, faults=faults)


if __name__ == "__main__":
    main()
