"""Changes run on a loop on which nobody cancels them but those who take care: whoever waits, and however he is cancelled."""

import asyncio
import contextvars
import threading

import anyio
import pytest
from signals import Signal, raised

from zcollection import portal

NOTE = "the change was complete before it could be cancelled"


class Change:
    """A change with a part that may be interrupted, and one that may not."""

    def __init__(self):
        self.started, self.may_go_on = Signal(), Signal()
        self.committing, self.may_commit = Signal(), Signal()
        self.steps = []

    async def run(self):
        try:
            self.started.set()
            await self.may_go_on.wait()
            self.steps.append("staged")
            await portal.uninterrupted(self._commit)
        finally:
            self.steps.append("ended")
        return "done"

    async def _commit(self):
        self.committing.set()
        await self.may_commit.wait()
        self.steps.append("committed")


def cancelled_at(change, signal, *, how, then):
    """Cancel the task of a change once a signal is given, let it go on, and return what the task raised."""

    async def main():
        scope = anyio.CancelScope()

        async def caller():
            with scope:
                await portal.run_change(change.run)

        task = asyncio.create_task(caller())
        await signal.wait()
        how(task, scope)
        await asyncio.sleep(0)
        how(task, scope)
        assert not task.done() or then is None
        if then is not None:
            then.set()
        await asyncio.wait([task])
        return None if not task.cancelled() and task.exception() is None else await raised(task)

    return asyncio.run(main())


def by_asyncio(task, _):
    task.cancel()


def by_anyio(_, scope):
    scope.cancel()


@pytest.mark.parametrize("how", [by_asyncio, by_anyio])
def test_what_may_not_be_interrupted_ends_before_the_caller_is_told(how):
    change = Change()
    change.may_go_on.set()
    error = cancelled_at(change, change.committing, how=how, then=change.may_commit)
    assert change.steps == ["staged", "committed", "ended"]
    assert how is by_anyio or NOTE in error.__notes__[0]


@pytest.mark.parametrize("how", [by_asyncio, by_anyio])
def test_what_may_be_interrupted_is(how):
    change = Change()
    error = cancelled_at(change, change.started, how=how, then=None)
    assert change.steps == ["ended"]
    assert how is by_anyio or not hasattr(error, "__notes__")


def test_a_deadline_is_told_after_the_end():
    change = Change()
    change.may_go_on.set()

    async def main():
        async with asyncio.timeout(None) as deadline:
            main.task = asyncio.create_task(_reschedule(deadline))
            await portal.run_change(change.run)

    async def _reschedule(deadline):
        await change.committing.wait()
        deadline.reschedule(0)
        change.may_commit.set()

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert change.steps == ["staged", "committed", "ended"]


def test_the_end_of_the_loop_waits_for_it():
    change = Change()
    change.may_go_on.set()

    async def main():
        main.task = asyncio.create_task(portal.run_change(change.run))
        await change.committing.wait()
        threading.Thread(target=change.may_commit.set).start()

    asyncio.run(main())
    assert change.steps == ["staged", "committed", "ended"]
    assert main.task.cancelled()


def test_a_coroutine_that_is_closed_leaves_a_change_that_ends():
    change, ended = Change(), threading.Event()
    change.may_go_on.set()

    async def work():
        try:
            return await change.run()
        finally:
            ended.set()

    async def main():
        coroutine = portal.run_change(work)
        coroutine.send(None)
        await change.committing.wait()
        coroutine.close()

    asyncio.run(main())
    change.may_commit.set()
    assert ended.wait(300)
    assert change.steps == ["staged", "committed", "ended"]


def test_an_error_of_the_change_is_raised_as_it_is_and_noted_where_the_caller_was_cancelled():
    change = Change()
    change.may_go_on.set()

    async def failing():
        await portal.uninterrupted(change._commit)
        raise KeyError("mine")

    change.may_commit.set()
    with pytest.raises(KeyError, match="mine"):
        asyncio.run(portal.run_change(failing))

    async def main():
        task = asyncio.create_task(portal.run_change(failing))
        await asyncio.sleep(0)
        task.cancel()
        return await raised(task)

    assert "KeyError('mine')" in asyncio.run(main()).__notes__[0]


def test_the_context_of_the_caller_is_that_of_the_change():
    name = contextvars.ContextVar("name")

    async def read():
        return name.get()

    async def main():
        name.set("a caller")
        return await portal.run_change(read)

    assert asyncio.run(main()) == "a caller"


def test_on_the_background_loop_itself_it_is_awaited():
    async def nested():
        return await portal.run_change(_thread)

    async def _thread():
        return threading.get_ident()

    assert portal.run(nested) == portal.run(_thread)


def test_a_blocking_caller_that_is_interrupted_is_told_after_the_end(monkeypatch):
    change = Change()
    change.may_go_on.set()

    def interrupted(_):
        change.committing.wait_here()
        threading.Thread(target=change.may_commit.set).start()
        raise KeyboardInterrupt

    monkeypatch.setattr(portal._Task, "result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        portal.run(change.run)
    assert change.steps == ["staged", "committed", "ended"]
