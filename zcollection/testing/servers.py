"""Local servers compatible with Amazon S3, for tests of stores.

`moto_server` and `ministack_server` are fixtures: import them in a ``conftest.py``.
"""

import http.client
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from attrs import frozen

_HOST: Final = "127.0.0.1"
_PATIENCE: Final = 300.0
_INTERVAL: Final = 0.02
_PORTS: Final = range(20_000, 32_000)
_NUMBERS: Final = itertools.count()
_MOTO: Final = """
import sys, threading
from moto import server

guard = threading.Lock()

class Serial(server.DomainDispatcherApplication):
    def __call__(self, environ, start_response):
        with guard:
            return super().__call__(environ, start_response)

server.DomainDispatcherApplication = Serial
server.main()
"""
# By default moto answers requests concurrently, and checks whether an object exists some time before it writes it: two conditional
# writes of one key could both succeed, unlike in S3.


@frozen
class Server:
    """A running server.

    Attributes
    ----------
    port
        Port on the loopback interface.
    """

    port: int

    @property
    def endpoint(self) -> str:
        """URL of the server."""
        return f"http://{_HOST}:{self.port}"

    @property
    def storage_options(self) -> dict[str, object]:
        """Options of the S3 store for this server."""
        return {"endpoint": self.endpoint, "region": "us-east-1", "key": "nobody", "secret": "nothing"}

    def create_bucket(self, name: str) -> str:
        """Create a bucket, and return its name.

        Parameters
        ----------
        name
            Name of the bucket; an existing one is not changed.
        """
        connection = http.client.HTTPConnection(_HOST, self.port, timeout=_PATIENCE)
        try:
            connection.request("PUT", f"/{name}")
            status = connection.getresponse().status
        finally:
            connection.close()
        assert status in {200, 409}, f"the bucket {name!r} was not created: {status}"
        return name


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return the server of moto, which runs until the end of the tests."""
    with running_moto(tmp_path_factory.mktemp("moto") / "log") as server:
        yield server


@pytest.fixture(scope="session")
def ministack_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return the server ministack, which runs until the end of the tests."""
    with running_ministack(tmp_path_factory.mktemp("ministack") / "log") as server:
        yield server


@contextmanager
def running_moto(log: Path) -> Iterator[Server]:
    """Run the server of moto; the package ``moto[server]`` must be installed.

    Parameters
    ----------
    log
        File for the output of the server.
    """
    port = free_port()
    with running_server([sys.executable, "-c", _MOTO, "--host", _HOST, "--port", str(port)], {}, port, log) as server:
        yield server


@contextmanager
def running_ministack(log: Path) -> Iterator[Server]:
    """Run the server ministack; the package ``ministack`` must be installed.

    Parameters
    ----------
    log
        File for the output of the server.
    """
    port = free_port()
    with running_server([_script("ministack")], {"BIND_HOST": _HOST, "GATEWAY_PORT": str(port)}, port, log) as server:
        yield server


def free_port() -> int:
    """Return an unused port, a different one in every call.

    The port is outside the range from which systems choose ports of connections, so that no connection can take it before the
    server has bound it.
    """
    while True:
        port = _PORTS[(os.getpid() * 31 + next(_NUMBERS)) % len(_PORTS)]
        with socket.socket() as listener:
            try:
                listener.bind((_HOST, port))
            except OSError:
                continue
        return port


def _script(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@contextmanager
def running_server(command: Sequence[str], environment: Mapping[str, str], port: int, log: Path) -> Iterator[Server]:
    """Run a server as a process; wait until it listens, and stop it at the end.

    Parameters
    ----------
    command
        Command of the server.
    environment
        Environment variables of the server, in addition to those of this process.
    port
        Port on which the server listens.
    log
        File for the output of the server.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_for(process, port, log)
            yield Server(port)
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        assert process.poll() is None, f"the server ended: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}"
        try:
            socket.create_connection((_HOST, port), _INTERVAL).close()
        except OSError:
            time.sleep(_INTERVAL)
        else:
            return
    message = f"the server does not listen at {port} after {_PATIENCE:g} s: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}"
    raise AssertionError(message)
