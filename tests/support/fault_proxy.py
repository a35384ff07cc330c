"""A proxy in front of a server of object storage that counts requests, delays them and lets them fail as it is told.

As a process of its own: ``python fault_proxy.py UPSTREAM_PORT PORT --latency 0.02``; ``GET /-/counts`` says how many
requests of each kind there were since it was last asked, ``GET /-/received`` how many bytes the answers had.
"""

import argparse
import asyncio
import json
import sys
import threading
from collections import Counter
from contextlib import asynccontextmanager, contextmanager, suppress

from attrs import define, field
from http_messages import Message, answer, read_message

from zcollection.testing.servers import Server, free_port, running_server

STATUSES = {
    "503": answer(503, "SlowDown"),
    "500": answer(500, "InternalError"),
    "429": answer(429, "TooManyRequests"),
    "409": answer(409, "ConditionalRequestConflict"),
    "412": answer(412, "PreconditionFailed"),
    "403": answer(403, "AccessDenied"),
}
"""What is answered without asking the server."""


@define(eq=False)
class Fault:
    """What happens to requests.

    Attributes
    ----------
    action
        A status; "drop" closes the connection before the server is asked, "lose" afterwards; "truncate" and "corrupt" the
        body that there is, of the answer if it has one, else of the request; "freeze" keeps the request until `thaw`,
        "freeze-drop" too, but the server is not asked then, and "freeze-answer" keeps its answer.
    kind
        Of the requests: "PUT", "CREATE", "COPY", "GET", "LIST", "HEAD", "DELETE"; "" is any.
    key
        Part of the key.
    skip
        How many of them pass before.
    times
        To how many of them; None is all.
    met
        Is set when a request is met.
    reached
        Is set when it is frozen, or its answer is.
    """

    action: str
    kind: str = ""
    key: str = ""
    skip: int = 0
    times: int | None = 1
    met: threading.Event = field(factory=threading.Event)
    reached: threading.Event = field(factory=threading.Event)
    _thawed: threading.Event = field(factory=threading.Event)

    def thaw(self):
        self._thawed.set()

    async def thawed(self):
        self.reached.set()
        while not self._thawed.is_set():
            await asyncio.sleep(0.002)

    def takes(self, request):
        if self.kind not in {"", request.kind} or self.key not in request.key or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Proxy:
    """A proxy that runs on an event loop.

    Attributes
    ----------
    faults
        What happens to requests; the first one that takes a request decides.
    requests
        Kind and key of each.
    latency
        Seconds before each request is passed on.
    ignores_conditions
        Whether conditions are lost on the way, as with servers that do not know them.
    connections
        How many are served.
    received
        Bytes of the bodies of answers that were passed back as they were.
    """

    ignores_conditions = False

    def __init__(self, upstream, latency=0.0):
        self._upstream = upstream
        self.faults = []
        self.requests = []
        self.latency = latency
        self.connections = 0
        self.received = 0

    @property
    def counts(self):
        return Counter(kind for kind, _ in self.requests)

    async def serve(self, reader, writer):
        """Serve one connection."""
        self.connections += 1
        try:
            with suppress(
                ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
            ):  # cancelled when it ends
                async with _closing(writer):
                    await self._serve(reader, writer)
        finally:
            self.connections -= 1

    async def _serve(self, reader, writer):
        async with _Upstream(self._upstream) as upstream:
            while (request := await read_message(reader, writer)) is not None:
                if request.target == "/-/counts":
                    await _tell(writer, self.counts)
                    self.requests.clear()
                    continue
                if request.target == "/-/received":
                    await _tell(writer, self.received)
                    self.received = 0
                    continue
                self.requests.append((request.kind, request.key))
                await asyncio.sleep(self.latency)
                fault = next((fault for fault in self.faults if fault.takes(request)), None)
                if not await self._pass(request, fault, upstream, writer):
                    return

    async def _pass(self, request, fault, upstream, writer):
        """Pass a request on and its answer back; return whether the connection stays."""
        action = "" if fault is None else fault.action
        if fault is not None:
            fault.met.set()
        if action in STATUSES:
            return await _send(writer, STATUSES[action])
        if action in {"freeze", "freeze-drop"}:
            await fault.thawed()
        if action in {"drop", "freeze-drop"}:
            return False
        broken = action in {"truncate", "corrupt"} and bool(request.body)
        if broken and action == "truncate":
            await upstream.send_part(request)
            return False
        request = request.unconditional() if self.ignores_conditions else request
        reply = await upstream.ask(request.corrupted() if broken else request)
        if action == "freeze-answer":
            await fault.thawed()
        if action == "lose" or reply is None:
            return False
        if action == "truncate":
            writer.write(reply.head + reply.body[: len(reply.body) // 2])
            await writer.drain()
            return False
        self.received += len(reply.body)
        return await _send(writer, reply.corrupted() if action == "corrupt" and not broken else reply)


class _Upstream:
    """A connection to the server, made when first needed and again when it is lost."""

    def __init__(self, port):
        self._port = port
        self._streams = None

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self._close()

    async def ask(self, request):
        for _ in range(2):  # a server may have closed a connection that was idle
            reader, writer = await self._connected()
            with suppress(ConnectionError):
                writer.write(request.wire)
                await writer.drain()
                reply = await read_message(reader, to_head=request.method == "HEAD")
                if reply is not None:
                    if (reply.header("connection") or "").lower() == "close":
                        self._close()
                    return reply
            self._close()
        return None

    async def send_part(self, request):
        _, writer = await self._connected()
        writer.write(request.head + request.body[: len(request.body) // 2])
        await writer.drain()
        self._close()

    async def _connected(self):
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=2**20)
        return self._streams

    def _close(self):
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _tell(writer, what):
    body = json.dumps(what).encode()
    await _send(writer, Message("HTTP/1.1 200 OK", (f"Content-Length: {len(body)}",), body))


async def _send(writer, message):
    writer.write(message.wire)
    await writer.drain()
    return (message.header("connection") or "").lower() != "close"


@asynccontextmanager
async def _closing(writer):
    try:
        yield
    finally:
        writer.close()


@define
class RunningProxy(Server):
    """A proxy on a thread of its own, which stands for the server behind it."""

    proxy: Proxy

    @property
    def counts(self):
        return self.proxy.counts

    def forget(self):
        """Forget the requests and faults that there were."""
        self.proxy.requests.clear()
        self.proxy.faults.clear()

    @contextmanager
    def failing(self, *faults):
        """Let requests fail inside a block."""
        self.proxy.faults[:] = faults
        try:
            yield faults
        finally:
            self.proxy.faults.clear()
            for fault in faults:
                fault.thaw()


@contextmanager
def running_proxy(server, latency=0.0):
    """Run a proxy in front of a server."""
    started, stop = threading.Event(), []
    found = []

    async def main():
        proxy = Proxy(server.port, latency)
        listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=2**20)
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        found.append(RunningProxy(listening.sockets[0].getsockname()[1], proxy))
        started.set()
        await ended.wait()
        listening.close()  # and not waited for: from Python 3.12 on that waits for the connections, which are cut next
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    assert started.wait(300)
    try:
        yield found[0]
    finally:
        stop[0]()
        thread.join(300)


@contextmanager
def proxy_process(server, latency, log):
    """Run a proxy in a process of its own, which takes no time from who asks it."""
    port = free_port()
    command = [sys.executable, __file__, str(server.port), str(port), "--latency", str(latency)]
    with running_server(command, {}, port, log) as proxy:
        yield proxy


async def _main(arguments):
    proxy = Proxy(arguments.upstream, arguments.latency)
    async with await asyncio.start_server(proxy.serve, "127.0.0.1", arguments.port, limit=2**20) as server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("upstream", type=int)
    parser.add_argument("port", type=int)
    parser.add_argument("--latency", type=float, default=0.0)
    asyncio.run(_main(parser.parse_args()))
