"""Servers that tests start listen where nothing else does."""

import socket
from pathlib import Path

import pytest

from zcollection.testing import servers

GIVEN_TO_CONNECTIONS = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_every_call_returns_another_port():
    assert len({servers.free_port() for _ in range(20)}) == 20


@pytest.mark.skipif(
    not GIVEN_TO_CONNECTIONS.exists(), reason="the system does not say which ports it gives to connections"
)
def test_no_port_is_one_that_the_system_gives_to_connections():
    first, last = map(int, GIVEN_TO_CONNECTIONS.read_text().split())
    assert not set(servers._PORTS) & set(range(first, last + 1))


def test_a_port_that_is_taken_is_passed_over(monkeypatch):
    taken = servers.free_port()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", taken))
        listener.listen()
        monkeypatch.setattr(servers, "_PORTS", range(taken, taken + 2))
        assert {servers.free_port(), servers.free_port()} == {taken + 1}
