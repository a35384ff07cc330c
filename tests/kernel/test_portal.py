import asyncio
import concurrent.futures
import contextvars
import inspect
import threading

import pytest
import samples

import zcollection as zc
from zcollection import aio, portal
from zcollection.engine.executor import gather, in_thread

VERBS = [name.removesuffix("_async") for name in dir(zc.Collection) if name.endswith("_async")]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_blocking_twin_with_the_same_signature(verb):
    twin, original = getattr(zc.Collection, verb), getattr(zc.Collection, f"{verb}_async")
    assert inspect.iscoroutinefunction(original)
    assert not inspect.iscoroutinefunction(twin)
    assert inspect.signature(twin) == inspect.signature(original)
    assert (twin.__name__, twin.__doc__) == (verb, original.__doc__)
    assert original.__doc__


def test_the_functions_of_the_package_are_twins_of_those_of_aio():
    for name in ("create_collection", "open_collection"):
        assert inspect.signature(getattr(zc, name)) == inspect.signature(getattr(aio, name))


def test_a_blocking_call_on_our_own_loop_is_an_error_and_not_a_deadlock(url):
    samples.create(url)

    async def on_the_loop():
        return zc.open_collection(url)

    with pytest.raises(zc.errors.SynchronousCallError, match="asynchronous version"):
        portal.run(on_the_loop)


def test_a_blocking_call_inside_a_running_loop_of_the_callers_works(url):
    samples.create(url, [1])

    async def main():
        return zc.open_collection(url).query()

    samples.assert_rows(asyncio.run(main()), [1])


def test_the_asynchronous_verbs_run_on_the_callers_loop(url):
    samples.create(url, [1])

    async def main():
        collection = await aio.open_collection(url, mode="rw")
        await collection.insert_async(samples.rows([12]))
        return await asyncio.gather(collection.query_async(), collection.partitions_async())

    dataset, paths = asyncio.run(main())
    samples.assert_rows(dataset, [1, 12])
    assert len(paths) == 2


def test_a_query_inside_a_map_function_works(url):
    collection = samples.create(url, [1, 12])
    with zc.config.using(threads=1, concurrency=1):
        found = collection.map(lambda ds: collection.query().sizes["row"])
    assert set(found.values()) == {2}


def test_many_threads_may_call_at_once(url):
    collection = samples.create(url, [1, 12])
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(collection.query().sizes["row"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert seen == [2] * 8


def test_an_interruption_cancels_the_work(monkeypatch):
    started, cancelled = threading.Event(), threading.Event()

    async def endless():
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    wait = concurrent.futures.Future.result

    seen = []

    def interrupted(future):
        seen.append(future)
        if len(seen) == 1:
            return wait(future)  # the answer that the work has been started
        monkeypatch.setattr(concurrent.futures.Future, "result", wait)
        assert started.wait(300)
        raise KeyboardInterrupt

    portal.run(asyncio.sleep, 0)
    monkeypatch.setattr(concurrent.futures.Future, "result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        portal.run(endless)
    assert cancelled.wait(300)


class TestWorkThatBeginsOnTheCallersThread:
    def test_it_stays_there_while_nothing_is_waited_for(self):
        async def done():
            return threading.get_ident(), await in_thread(threading.get_ident)

        assert portal.begin(done) == (threading.get_ident(), threading.get_ident())

    def test_it_goes_on_on_the_loop_from_where_it_waits(self):
        steps = []

        async def waiting(number):
            steps.append(threading.current_thread().name)
            await portal.on_loop()
            await asyncio.sleep(0)
            steps.append(threading.current_thread().name)
            await portal.on_loop()
            return number

        assert portal.begin(waiting, 3) == 3
        assert steps == [threading.current_thread().name, portal.run(_name_of_thread)]

    def test_several_things_at_once_are_waited_for_on_the_loop(self):
        async def both():
            return await gather(asyncio.sleep, [0, 0], limit=2)

        assert portal.begin(both) == [None, None]

    @pytest.mark.parametrize("moves", [False, True])
    def test_its_error_is_raised_as_it_is(self, moves):
        async def failing():
            try:
                if moves:
                    await portal.on_loop()
                message = "of the work"
                raise LookupError(message)
            finally:
                ended.append(moves)

        ended = []
        with pytest.raises(LookupError, match="of the work"):
            portal.begin(failing)
        assert ended == [moves]

    def test_its_context_goes_with_it_and_leaves_that_of_the_caller_alone(self):
        variable = contextvars.ContextVar("variable", default="default")

        async def changing():
            assert variable.get() == "of the caller"
            variable.set("of the work")
            await portal.on_loop()
            return variable.get()

        variable.set("of the caller")
        assert portal.begin(changing) == "of the work"
        assert variable.get() == "of the caller"

    def test_where_a_loop_runs_already_it_is_run_on_ours(self):
        async def main():
            return portal.begin(_name_of_thread)

        assert asyncio.run(main()) == portal.run(_name_of_thread)

    def test_our_own_loop_never_waits_for_itself(self):
        async def main():
            portal.begin(_name_of_thread)

        with pytest.raises(zc.errors.SynchronousCallError):
            portal.run(main)

    def test_one_inside_another_leaves_the_outer_one_where_it_is(self):
        async def outer():
            inner = portal.begin(_name_of_thread_of_loop)
            return inner, threading.current_thread().name, await in_thread(_name)

        here = threading.current_thread().name
        assert portal.begin(outer) == (portal.run(_name_of_thread), here, here)

    def test_a_loop_of_the_users_inside_it_is_not_blocked(self):
        """What a predicate of the user's runs by itself is no part of the caller's call."""

        async def elsewhere():
            return portal.is_callers_thread(), await in_thread(threading.get_ident)

        async def outer():
            return asyncio.run(elsewhere())

        is_callers, thread = portal.begin(outer)
        assert not is_callers
        assert thread != threading.get_ident()

    def test_an_interruption_ends_the_work_where_it_is(self):
        async def interrupted():
            try:
                raise KeyboardInterrupt
            finally:
                ended.append(threading.get_ident())

        ended = []
        with pytest.raises(KeyboardInterrupt):
            portal.begin(interrupted)
        assert ended == [threading.get_ident()]
        assert not portal.is_callers_thread()


def _name():
    return threading.current_thread().name


async def _name_of_thread():
    return _name()


async def _name_of_thread_of_loop():
    await portal.on_loop()
    return _name()
