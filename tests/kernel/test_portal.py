import asyncio
import concurrent.futures
import inspect
import threading

import pytest
import samples

import zcollection as zc
from zcollection import aio, portal

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

    with pytest.raises(zc.errors.SynchronousCallError, match="asynchronous twin"):
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
        thread.join(30)
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
        assert started.wait(10)
        raise KeyboardInterrupt

    portal.run(asyncio.sleep, 0)
    monkeypatch.setattr(concurrent.futures.Future, "result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        portal.run(endless)
    assert cancelled.wait(10)
