"""Errors are one line on standard error, and exit codes tell what happened."""

import subprocess
import sys

import pytest

from zcollection.cli import info as info_module


@pytest.mark.parametrize("name", ["info", "ls", "tree"])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_url_without_a_collection_is_one_line(command, tmp_path, name, options):
    done = command(name, f"file://{tmp_path}/nothing", *options)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: there is no collection at file://{tmp_path}/nothing;")
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(command, tmp_path):
    done = command("--debug", "info", f"file://{tmp_path}/nothing")
    assert done.code == 1
    assert done.err.startswith("Traceback (most recent call last):")
    assert "CollectionNotFoundError" in done.err
    assert done.err.splitlines()[-1].startswith("error: there is no collection")


def test_a_scheme_that_nobody_opens_is_one_line(command):
    done = command("info", "gopher://somewhere/there")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: gopher://somewhere/there cannot be opened")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (PermissionError(13, "Permission denied", "/data"), 1, "error: [Errno 13] Permission denied: '/data'\n"),
        (RuntimeError("two\nlines"), 1, "error: unexpected RuntimeError: two lines (run with --debug and report it)\n"),
        (OSError("\x1b[31mred \u202e"), 1, "error: \\x1b[31mred \\u202e\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_whatever_is_raised_has_a_code_and_a_line(command, monkeypatch, raised, code, said):
    def fail(*_, **_options):
        raise raised

    monkeypatch.setattr(info_module, "open_source", fail)
    assert command("info", "file:///data") == (code, "", said)


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect"],
        ["info"],
        ["info", "file:///data", "--colour"],
        ["info", "file:///data", "--storage-option", "secret"],
        ["info", "file:///data", "--storage-option", "=secret"],
    ],
)
def test_wrong_usage_is_code_two(command, arguments):
    done = command(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Usage: zcollection" in done.err
    assert "secret" not in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", ["info", "ls", "tree"])
def test_storage_options_reach_the_store(command, url, name):
    done = command(name, url, "--storage-option", "colour=red", "--storage-option", "size=3")
    assert done.code == 1
    assert "has no option 'colour'" in done.err


def test_values_of_storage_options_are_json_where_they_read_as_such(command, monkeypatch):
    given = {}

    async def take(_, *, mode, storage_options, **of_a_base):
        assert of_a_base == {"at": None, "base": None, "base_options": {}}
        given.update(storage_options, mode=mode)
        raise OSError

    monkeypatch.setattr("zcollection.cli.opening.open_either", take)
    texts = ["anon=false", "tries=3", "account=00017", 'code="17"', "key=a=b", "empty="]
    command("info", "file:///data", *(part for text in texts for part in ("--storage-option", text)))
    assert given == {
        "anon": False, "tries": 3, "account": "00017", "code": "17", "key": "a=b", "empty": "", "mode": "r",
    }  # fmt: skip


def test_the_reader_of_a_pipe_may_leave(url):
    code = f"import sys; sys.argv[1:] = ['tree', {url!r}]; from zcollection.cli import main; main()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()  # before anything is written
        said = process.stderr.read()
    assert b"Traceback" not in said
    assert process.returncode == 1
