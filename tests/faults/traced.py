"""Operations in processes of their own under ``strace``.

Each is forked from a process that has loaded everything and started no thread, and makes all its calls on one thread,
because strace counts the calls of each thread by itself.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

CALLS = "write,mkdir,mkdirat,rename,renameat2,link,linkat,unlink,unlinkat,rmdir,fsync,fdatasync"
"""The system calls that change something."""
IS_THERE = shutil.which("strace") is not None


SYSTEM = "ZCOLLECTION_TESTS_SYSTEM"
"""Environment variable that names the system that is played, for the processes of a nursery."""


class Nursery:
    """Starts operations, and says how they ended.

    Parameters
    ----------
    system
        The system that is played, one of `systems.SYSTEMS`; None for this one.
    """

    def __init__(self, system: str | None = None) -> None:
        self._system = system

    def __enter__(self) -> Self:
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}
        environment |= {} if self._system is None else {SYSTEM: self._system}
        self._server = subprocess.Popen(
            [sys.executable, __file__], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stdin.close()
        self._server.wait()

    def run(
        self, place: Path, name: str, *, fsync: bool, strace: Sequence[str] = (), mutation: str | None = None
    ) -> int:
        """Run one of the operations, and return its exit code, negative where a signal has killed it.

        Parameters
        ----------
        place
            The collection.
        name
            Which operation.
        fsync
            Whether the store has this option.
        strace
            Arguments of strace; none runs the operation without it.
        mutation
            A synchronisation that is taken away from the code before.
        """
        self.begin(place, name, options={"fsync": fsync}, strace=strace, mutation=mutation)
        return self.end()

    def begin(
        self,
        place: str | Path,
        name: str,
        *,
        options: Mapping[str, object],
        strace: Sequence[str] = (),
        mutation: str | None = None,
    ) -> int:
        """Start one of the operations, and return the id of its process.

        Parameters
        ----------
        place, name, strace, mutation
            As `run` takes them; the place may be a URL.
        options
            Of the store.
        """
        self._send(json.dumps({"place": str(place), "name": name, "options": options, "mutation": mutation}))
        pid = int(self._server.stdout.readline())
        self._tracer = None if not strace else _attached(pid, strace)
        self._send("go")
        return pid

    def end(self) -> int:
        """Wait until the operation has ended, and return its exit code."""
        code = int(self._server.stdout.readline())
        if self._tracer is not None:
            self._tracer.communicate(timeout=500)
        return code

    def _send(self, text: str) -> None:
        self._server.stdin.write(text.encode())
        self._server.stdin.flush()


def _attached(pid: int, arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
    tracer = subprocess.Popen(["strace", "-f", "-p", str(pid), *arguments], stderr=subprocess.PIPE)
    line = tracer.stderr.readline()
    if b"attached" not in line:
        message = f"strace cannot trace: {line!r}"
        raise RuntimeError(message)
    return tracer


def injecting(fault: str, *, calls: str = CALLS, when: str = "1+") -> list[str]:
    """Return the arguments that make calls fail, such as ``error=EIO``."""
    return ["-o", os.devnull, "-e", f"trace={calls}", "-e", f"inject={calls}:{fault}:when={when}"]


def logging(log: Path, *, calls: str = CALLS) -> list[str]:
    """Return the arguments that write down calls, with the paths of their descriptors."""
    return ["-o", str(log), "-y", "-s", "4096", "-e", f"trace={calls}"]


def play(system: str) -> None:
    """Let the file store of this process run on another system, such as "windows"; its paths lie on drive C:."""
    sys.path.append(str(Path(__file__).parent.parent / "support"))
    import systems

    systems.play(system, setattr, dict.__setitem__)


def _serve() -> None:
    if SYSTEM in os.environ:
        play(os.environ[SYSTEM])
    import mutations
    import operations
    import zarr  # noqa: F401 - loaded here, once

    import zcollection as zc

    zc.partitioning.Date(("time",), resolution="D")
    _stay_on_one_thread()
    while request := os.read(0, 65536):
        asked = json.loads(request)
        pid = os.fork()
        if pid == 0:
            os.read(0, 2)  # until it is traced
            try:
                mutations.SYNCS.get(asked["mutation"], mutations.nothing)()
                operations.operate(asked["place"], asked["name"], asked["options"])
            except BaseException:  # noqa: BLE001 - its parent is to know of any
                os._exit(1)
            os._exit(0)
        os.write(1, b"%d\n" % pid)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _stay_on_one_thread() -> None:
    """Let the event loop do itself what it has threads for."""
    from anyio import from_thread, to_thread

    async def here(function, *arguments, **_):
        return function(*arguments)

    to_thread.run_sync = here
    from_thread.check_cancelled = lambda: None


if __name__ == "__main__":
    _serve()
