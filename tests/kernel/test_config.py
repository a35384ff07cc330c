import threading

import pytest
import samples

import zcollection as zc
from zcollection import config


def test_the_environment_decides(monkeypatch):
    monkeypatch.setenv("ZCOLLECTION_THREADS", "3")
    monkeypatch.setenv("ZCOLLECTION_CONCURRENCY", "17")
    assert config.get() == config.Config(threads=3, concurrency=17)


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "²"])
def test_a_bad_value_in_the_environment_is_an_error(monkeypatch, text):
    monkeypatch.setenv("ZCOLLECTION_THREADS", text)
    with pytest.raises(zc.ZCollectionError, match="ZCOLLECTION_THREADS.*at least 1"):
        config.get()


def test_a_block_overrides_and_gives_back():
    before = config.get()
    with config.using(threads=5):
        assert config.get().threads == 5
        with config.using(concurrency=2):
            assert config.get() == config.Config(threads=5, concurrency=2)
    assert config.get() == before


def test_an_override_is_local_to_its_thread():
    seen = []
    with config.using(threads=7):
        thread = threading.Thread(target=lambda: seen.append(config.get().threads))
        thread.start()
        thread.join()
    assert seen == [config.get().threads]


def test_an_override_follows_a_call_onto_worker_threads(url):
    collection = samples.create(url, [1])
    with config.using(threads=7):
        assert set(collection.map(lambda ds: config.get().threads).values()) == {7}


def test_a_block_refuses_what_is_no_number():
    with pytest.raises((TypeError, ValueError)), config.using(threads=0):
        pass
