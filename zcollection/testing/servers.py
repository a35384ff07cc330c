"""Servers of object storage that speak S3's protocol, started on this machine for the tests of stores.

A ``conftest.py`` that imports `moto_server` or `ministack_server` has them as fixtures.
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

answering = threading.Lock()

class OneByOne(server.DomainDispatcherApplication):
    def __call__(self, environ, start_response):
        with answering:
            return super().__call__(environ, start_response)

server.DomainDispatcherApplication = OneByOne
server.main()
"""
# By itself moto answers in threads, and looks whether an object exists a while before it writes it: of two conditional writes, both
# may succeed, which S3 does not do.


@frozen
class Server:
    """A server that runs.

    Attributes
    ----------
    port
        Where it listens on the loopback interface.
    """

    port: int

    @property
    def endpoint(self) -> str:
        """URL of the server."""
        return f"http://{_HOST}:{self.port}"

    @property
    def storage_options(self) -> dict[str, object]:
        """Options under which a store of S3 reaches it."""
        return {"endpoint": self.endpoint, "region": "us-east-1", "key": "nobody", "secret": "nothing"}

    def create_bucket(self, name: str) -> str:
        """Create a bucket, and return its name.

        Parameters
        ----------
        name
            Of the bucket; one that exists is left as it is.
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
    """Return moto's server, which runs until the tests end."""
    with running_moto(tmp_path_factory.mktemp("moto") / "log") as server:
        yield server


@pytest.fixture(scope="session")
def ministack_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return ministack, which runs until the tests end."""
    with running_ministack(tmp_path_factory.mktemp("ministack") / "log") as server:
        yield server


@contextmanager
def running_moto(log: Path) -> Iterator[Server]:
    """Run moto's server; the package ``moto[server]`` must be installed.

    Parameters
    ----------
    log
        File for what it says.
    """
    port = free_port()
    with running_server([sys.executable, "-c", _MOTO, "--host", _HOST, "--port", str(port)], {}, port, log) as server:
        yield server


@contextmanager
def running_ministack(log: Path) -> Iterator[Server]:
    """Run ministack; the package of this name must be installed.

    Parameters
    ----------
    log
        File for what it says.
    """
    port = free_port()
    with running_server([_script("ministack")], {"BIND_HOST": _HOST, "GATEWAY_PORT": str(port)}, port, log) as server:
        yield server


def free_port() -> int:
    """Return a port that nobody listens at, another one in every call.

    It is none of those that a system gives to connections: until a server that starts has bound it, one of these could take it.
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
    """Run a server, wait until it listens, and stop it, and no other, in the end.

    Parameters
    ----------
    command
        What runs it, as a process of its own.
    environment
        Variables that it has besides those of this process.
    port
        Where it is to listen.
    log
        File for what it says.
    """
    with log.open("wb") as said:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=said, stderr=subprocess.STDOUT)
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
