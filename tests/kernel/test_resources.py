"""What a system has no more to give is told as an error of ours, wherever a call meets it; anything else passes as it is."""

import errno

import pytest

import zcollection as zc
from zcollection import portal, resources


@pytest.mark.parametrize(
    ("number", "advice"), [(errno.EMFILE, "ulimit -n"), (errno.ENFILE, "close"), (errno.ENOMEM, "memory")]
)
def test_a_shortage_says_what_to_do(number, advice):
    with pytest.raises(zc.StoreError, match=rf"{advice}.*run the operation again"), resources.reporting_shortage():
        raise OSError(number, "no more", "/secret/path")


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "denied"), RuntimeError("of the caller"), ValueError("x")])
def test_another_error_is_raised_as_it_is(error):
    with pytest.raises(type(error)) as caught, resources.reporting_shortage():
        raise error
    assert caught.value is error


@pytest.mark.parametrize("run", [portal.run, portal.begin])
def test_a_thread_that_cannot_be_started_is_told_to_a_blocking_caller(run):
    async def start():
        message = "can't start new thread"
        raise RuntimeError(message)

    with pytest.raises(zc.StoreError, match="no more threads can be started; raise the limit"):
        run(start)


def test_files_are_asked_for_until_there_were_enough(monkeypatch):
    def refuse(*_):
        raise OSError(errno.EMFILE, "no more")

    with monkeypatch.context() as patched:
        patched.setattr(resources.os, "open", refuse)
        for _ in range(2):
            with pytest.raises(zc.StoreError, match="ulimit -n"):
                resources.ensure_spare_files("of this test")
    resources.ensure_spare_files("of this test")
