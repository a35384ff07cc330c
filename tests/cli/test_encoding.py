"""What is written to a file or a pipe is UTF-8 with line feeds, on Windows too, where Python would take the code page."""

import io
import sys

import pytest

from zcollection.cli import app
from zcollection.cli.output import write_lines


def on_windows(monkeypatch):
    """Let the streams be those of Windows; pytest would put its own back between a fixture and its test."""
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    raw = {"stdin": io.BytesIO("海 é\n".encode()), "stdout": io.BytesIO(), "stderr": io.BytesIO()}
    for name, buffer in raw.items():
        errors = "backslashreplace" if name == "stderr" else "strict"
        stream = io.TextIOWrapper(buffer, encoding="cp1252", errors=errors, newline=None if name == "stdin" else "\r\n")
        monkeypatch.setattr(sys, name, stream)
    return raw


def test_strings_leave_and_come_as_utf8(monkeypatch):
    streams = on_windows(monkeypatch)
    app._exchange_utf8()
    write_lines(["platform=海 é", "next"])
    sys.stdout.flush()
    assert streams["stdout"].getvalue() == "platform=海 é\nnext\n".encode()
    assert sys.stdin.read() == "海 é\n"
    assert sys.stderr.errors == "backslashreplace"


def test_an_encoding_that_was_asked_for_stays(monkeypatch):
    on_windows(monkeypatch)
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    app._exchange_utf8()
    assert sys.stdout.encoding == "cp1252"
    with pytest.raises(UnicodeEncodeError):
        write_lines(["海"])
