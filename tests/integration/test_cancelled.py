"""A task that is cancelled while its change is put in place: the change is whole, and the next writer waits for it."""

import asyncio
import shutil

import pytest
import samples
import stepping
from effort import is_thorough
from signals import raised

import zcollection as zc

OLD, CHANGED, NEXT = [1, 12], [2, 21], [3]
CANCELLED = "the change was complete before it could be cancelled"


@pytest.fixture
def base(tmp_path):
    samples.create(str(tmp_path / "base"), OLD)
    return tmp_path / "base"


async def insert(place, times):
    collection = await zc.aio.open_collection(str(place), mode="rw")
    await collection.insert_async(samples.rows(times), merge="append")


def locked_steps(place):
    """Return the numbers of the steps that an insertion takes while it has the lock."""
    gate = stepping.Gate(0)
    asyncio.run(_within(gate, insert(place, CHANGED)))
    return gate.locked


async def held(place, gate):
    """Hold an insertion before a step, cancel it there, begin another one, and let the first go on; return what it raised."""

    async def victim():
        stepping.WHOSE.set(gate)
        await insert(place, CHANGED)

    loop = asyncio.get_running_loop()
    task = asyncio.create_task(victim())
    task.add_done_callback(lambda _: gate.reached.set())
    await loop.run_in_executor(None, gate.reached.wait, stepping.PATIENCE)
    task.cancel()
    stepping.waits.happened.clear()
    following = asyncio.create_task(insert(place, NEXT))
    following.add_done_callback(lambda _: stepping.waits.happened.set())
    await loop.run_in_executor(None, stepping.waits.happened.wait, stepping.PATIENCE)
    assert not gate.is_robbed, "its lock was released while a thread worked under it"
    assert not task.done(), "it was told so before it had ended"
    assert not following.done(), "another writer has not waited for it"
    gate.opened.set()
    await asyncio.wait([task, following])
    following.result()
    return await raised(task)


def test_a_publication_that_is_cancelled_at_any_of_its_steps_is_whole_and_the_next_writer_waits_for_it(base, tmp_path):
    with stepping.files(), zc.config.using(threads=1):
        steps = locked_steps(shutil.copytree(base, tmp_path / "whole"))
        assert len(steps) > 40
        for number in (
            steps if is_thorough() else steps[::4]
        ):  # tests/faults/cancellation.py takes each of many operations
            place, gate = shutil.copytree(base, tmp_path / str(number)), stepping.Gate(number)
            error = asyncio.run(held(place, gate))
            assert isinstance(error, asyncio.CancelledError)
            collection = zc.open_collection(str(place))
            inserted = len(collection.history()) == 4
            assert inserted == any(CANCELLED in note for note in getattr(error, "__notes__", ()))
            times = sorted([*OLD, *NEXT, *(CHANGED if inserted else ())])
            assert sorted(collection.query()["time"].to_numpy().tolist()) == times
            assert collection.verify(data=True).is_clean
            shutil.rmtree(place)


def test_what_is_cancelled_before_it_is_committed_leaves_nothing(base):
    async def main():
        gate = stepping.Gate(60)
        task = asyncio.create_task(_within(gate, insert(base, CHANGED)))
        await asyncio.get_running_loop().run_in_executor(None, gate.reached.wait, stepping.PATIENCE)
        task.cancel()
        gate.opened.set()
        with pytest.raises(asyncio.CancelledError) as found:
            await task
        return found.value

    with stepping.files(), zc.config.using(threads=1):
        error = asyncio.run(main())
    assert not hasattr(error, "__notes__")
    collection = zc.open_collection(str(base))
    samples.assert_rows(collection.query(), OLD)
    assert [entry.operation for entry in collection.history()] == ["create", "insert"]
    assert not list((base / "_transactions/stage").iterdir())


async def _within(gate, work):
    stepping.WHOSE.set(gate)
    await work
