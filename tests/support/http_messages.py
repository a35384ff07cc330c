"""HTTP messages read from a stream and passed on as they are: as much of HTTP/1.1 as clients of object storage speak."""

import asyncio
from urllib.parse import unquote

from attrs import evolve, field, frozen

_WITHOUT_BODY = {204, 304}


@frozen
class Message:
    """A request or an answer.

    Attributes
    ----------
    start
        Its first line.
    headers
        Lines of its headers.
    body
        Bytes that follow, as they are sent: in chunks where it says so.
    """

    start: str
    headers: tuple[str, ...]
    body: bytes = field(repr=False)

    def header(self, name):
        prefix = f"{name}:"
        return next((line[len(prefix) :].strip() for line in self.headers if line.lower().startswith(prefix)), None)

    @property
    def head(self):
        return "\r\n".join([self.start, *self.headers, "", ""]).encode("latin-1")

    @property
    def wire(self):
        return self.head + self.body

    @property
    def status(self):
        return int(self.start.split(" ")[1])

    @property
    def method(self):
        return self.start.split(" ")[0]

    @property
    def target(self):
        return self.start.split(" ")[1]

    @property
    def key(self):
        return unquote(self.target.partition("?")[0])

    @property
    def kind(self):
        """What is asked of object storage."""
        query = self.target.partition("?")[2]
        if self.method == "PUT":
            return "COPY" if self.header("x-amz-copy-source") else "CREATE" if self.header("if-none-match") else "PUT"
        if self.method == "POST" and query.startswith("delete"):
            return "DELETE"
        return "LIST" if self.method == "GET" and "list-type=" in query else self.method

    def unconditional(self):
        """The same without its condition."""
        return evolve(
            self, headers=tuple(line for line in self.headers if not line.lower().startswith("if-none-match"))
        )

    def corrupted(self):
        """The same, with one bit of its body changed; where there is none, it has lost its last header."""
        if not self.body:
            return evolve(self, headers=self.headers[:-1])
        middle = len(self.body) // 2
        return evolve(self, body=self.body[:middle] + bytes([self.body[middle] ^ 1]) + self.body[middle + 1 :])


def answer(status, code):
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code></Error>'.encode()
    return Message(f"HTTP/1.1 {status} {code}", (f"Content-Length: {len(body)}", "Content-Type: application/xml"), body)


async def read_message(reader, writer=None, *, to_head=False):
    """Return the next message of a stream, or None at its end; to who waits for it with a body, `writer` says to go on."""
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    start, *headers = text[:-4].split("\r\n")
    message = Message(start, tuple(line for line in headers if not line.lower().startswith("expect:")), b"")
    if writer is not None and len(message.headers) < len(headers):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    is_answer = start.startswith("HTTP/")
    if to_head or (is_answer and message.status in _WITHOUT_BODY):
        return message
    if "chunked" in (message.header("transfer-encoding") or ""):
        return evolve(message, body=await _chunks(reader))
    return evolve(message, body=await reader.readexactly(int(message.header("content-length") or 0)))


async def _chunks(reader):
    found = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        found += line + (await reader.readexactly(size + 2) if size else b"")
        if not size:
            break
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        found += line
    return found + line
