"""Requests without an answer: the error contains the cause, and a time-out only if there was one."""

import socket
import struct
import threading
from contextlib import ExitStack, contextmanager

import anyio
import pytest
from zcollection_store_s3.store import S3Store

from zcollection.plugin import Read, StoreError, StoreURL


def drop(connection):
    connection.recv(65536)
    connection.close()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def answer_in_another_protocol(connection):
    connection.recv(65536)
    connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")
    connection.close()


def answer_as_tls_does(connection):
    """Answer with the alert of a TLS server to a message that is not a handshake: fatal, unexpected message."""
    connection.recv(65536)
    connection.sendall(bytes([21, 3, 3, 0, 2, 2, 10]))
    connection.close()


@contextmanager
def listening(handle):
    """Yield the port of a server that handles each connection by a function."""
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as connections:

        def serve():
            while True:
                connection = connections.enter_context(server.accept()[0])
                if stopping.is_set():
                    return
                handle(connection)

        stopping = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        stopping.set()
        socket.create_connection(server.getsockname()).close()
        thread.join()


@contextmanager
def free_port():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


def say_nothing(_):
    pass


@pytest.mark.parametrize("driver", ["obstore", "fsspec"])
@pytest.mark.parametrize(
    ("scheme", "server", "reason"),
    [
        ("http", free_port, "the connection was refused: .*; check its host and port, or start the server"),
        ("http", lambda: listening(drop), "the server dropped the connection"),
        ("http", lambda: listening(reset), "the server dropped the connection"),
        ("http", lambda: listening(answer_in_another_protocol), "does not speak HTTP"),
        ("http", lambda: listening(answer_as_tls_does), "does not speak HTTP, .*; check its port, or use https://"),
        (
            "https",
            lambda: listening(answer_in_another_protocol),
            "does not speak TLS, .*; check its port, or use http://",
        ),
        ("http", lambda: listening(say_nothing), "the request took too long"),
    ],
    ids=["refused", "dropped", "reset", "another protocol", "plain to a port of tls", "tls to a plain port", "silent"],
)
def test_the_error_of_a_request_without_an_answer_contains_the_cause(driver, scheme, server, reason):
    with server() as port:
        assert_reported(f"{scheme}://127.0.0.1:{port}", driver, reason)


@pytest.mark.parametrize("driver", ["obstore", "fsspec"])
def test_an_unknown_host_is_reported(driver):
    assert_reported("http://nosuchhost.invalid", driver, "the endpoint's name cannot be resolved; check the endpoint")


def assert_reported(endpoint, driver, reason):
    options = {
        "client_options": {"timeout": 0.2 if "too long" in reason else 15, "connect_timeout": 15},
        "max_retries": 0,
        "driver": driver,
    }
    options |= {"endpoint": endpoint, "key": "k", "secret": "s", "region": "r"}
    key = "TimedOut/dns error/ConnectionRefused"  # words of other failures, which must have no effect

    async def ask(read):
        store = await S3Store.open(StoreURL.parse("s3://bucket/prefix"), mode="rw", **options)
        with anyio.fail_after(300):
            await (store.get([Read(key)]) if read else store.put({key: b"data"}))

    for read in (True, False):
        with pytest.raises(StoreError, match=reason) as caught:
            anyio.run(ask, read)
        message = str(caught.value)
        assert ("too long" in message) == ("too long" in reason)
