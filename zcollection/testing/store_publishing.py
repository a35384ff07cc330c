"""Checks of stores: what is staged is published whole, once, and whatever interrupts it."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from zcollection.contracts.store import KeyStore, Replacement
from zcollection.testing.store_base import StoreSuite, contents, keys_under, read

OLD = {"x": b"old", "removed": b"old", "ku/y": b"old"}
NEW = {"x": b"new", "ku/y": b"new", "c/z": b"new", "zarr.json": b"{}"}
BESIDE = {"p=1.5": b"beside", "p=10/x": b"beside", "zarr.json": b"{}"}

STAGE, TARGET, TRASH, KEPT = "_stage/1/p=1/", "p=1/", "_stage/1/dropped/p=1/", "_kept/1/p=1/"
WHOLE = {**OLD, "zarr.json": b"{}"}
REPLACED = Replacement(target=TARGET, kept=KEPT, staged=STAGE)
TAKEN_AWAY = Replacement(target=TARGET, kept=KEPT)

_STEPS = 25
"""At how many points of its way through the event loop a publication is interrupted."""


class PublishingChecks(StoreSuite[KeyStore]):
    """What holds for groups that are staged, published and taken away."""

    def test_a_staged_group_is_published_where_nothing_lies(self, tmp_path: Path) -> None:
        """All of it, at any depth; nothing beside it changes."""

        async def check(store: KeyStore) -> None:
            for target in (TARGET, "year=2024/month=03/day=04/"):
                await store.put({**BESIDE, **_at(STAGE, NEW)})
                await store.publish(STAGE, target)
                assert await contents(store, target) == _at(target, NEW)
                await store.delete([STAGE])
            assert await contents(store, "p=10/") == {"p=10/x": b"beside"}
            assert await read(store, "p=1.5") == b"beside"

        self._with_store(check, tmp_path)

    def test_a_staged_group_replaces_the_one_that_is_there(self, tmp_path: Path) -> None:
        """Nothing of the old one stays, and nothing beside it changes."""

        async def check(store: KeyStore) -> None:
            await store.put({**BESIDE, **_at(TARGET, OLD), **_at(STAGE, NEW)})
            await store.publish(STAGE, TARGET)
            await store.delete([STAGE])
            assert await contents(store) == {**BESIDE, **_at(TARGET, NEW)}

        self._with_store(check, tmp_path)

    def test_publishing_again_changes_nothing(self, tmp_path: Path) -> None:
        """A writer that cannot know whether it was done does it again."""

        async def check(store: KeyStore) -> None:
            for before in (OLD, {}):
                await store.put({**_at(TARGET, before), **_at(STAGE, NEW)})
                for _ in range(3):
                    await store.publish(STAGE, TARGET)
                    assert await contents(store, TARGET) == _at(TARGET, NEW)
                await store.delete([STAGE, TARGET])

        self._with_store(check, tmp_path)

    def test_what_is_staged_again_is_published_again(self, tmp_path: Path) -> None:
        """Once the stage is cleared, its prefix is as good as new."""

        async def check(store: KeyStore) -> None:
            for turn in range(3):
                await store.put({f"{STAGE}x": bytes([turn]), f"{STAGE}only-{turn}": b""})
                await store.publish(STAGE, TARGET)
                await store.delete([STAGE])
                assert await contents(store, TARGET) == {f"{TARGET}only-{turn}": b"", f"{TARGET}x": bytes([turn])}

        self._with_store(check, tmp_path)

    def test_an_interrupted_publication_is_completed_by_another(self, tmp_path: Path) -> None:
        """Wherever it was cancelled, and also where some objects are in place already."""

        async def check(store: KeyStore) -> None:
            for steps in range(_STEPS):
                await store.put({**_at(TARGET, OLD), **_at(STAGE, NEW)})
                await _publish_in_part(store, steps)
                await store.publish(STAGE, TARGET)
                assert await contents(store, TARGET) == _at(TARGET, NEW), f"interrupted after {steps} steps"
                await store.delete([STAGE, TARGET])
            await store.put({**_at(TARGET, OLD), **_at(STAGE, NEW)})
            await store.copy([(f"{STAGE}c/z", f"{TARGET}c/z"), (f"{STAGE}x", f"{TARGET}x")])
            await store.publish(STAGE, TARGET)
            assert await contents(store, TARGET) == _at(TARGET, NEW)

        self._with_store(check, tmp_path)

    def test_a_stage_without_its_document_replaces_no_group(self, tmp_path: Path) -> None:
        """It was published, and then removed in part; whoever publishes it again comes late."""

        async def check(store: KeyStore) -> None:
            await store.put({**_at(TARGET, NEW), f"{STAGE}x": b"left over"})
            await store.publish(STAGE, TARGET)
            await store.delete([STAGE])
            assert await contents(store) == _at(TARGET, NEW)

        self._with_store(check, tmp_path)

    def test_nothing_is_left_of_what_is_taken_away(self, tmp_path: Path) -> None:
        """Nothing beside it changes, and its place can be taken again."""

        async def check(store: KeyStore) -> None:
            for _ in range(2):
                await store.put({**BESIDE, **_at(TARGET, OLD)})
                await store.unpublish(TARGET, TRASH)
                await store.delete([TRASH])
                assert await contents(store) == BESIDE
                assert [entry.key async for entry in store.list("")] == ["p=1.5", "p=10/", "zarr.json"]
            await store.put(_at(STAGE, NEW))
            await store.publish(STAGE, TARGET)
            assert await contents(store, TARGET) == _at(TARGET, NEW)

        self._with_store(check, tmp_path)

    def test_taking_away_again_changes_nothing(self, tmp_path: Path) -> None:
        """Also where there was nothing ever, and where the trash holds something."""

        async def check(store: KeyStore) -> None:
            await store.unpublish(TARGET, TRASH)
            await store.put({**BESIDE, **_at(TARGET, OLD), **_at(TRASH, NEW)})
            for _ in range(3):
                await store.unpublish(TARGET, TRASH)
                assert await keys_under(store, TARGET) == []
                assert await read(store, f"{TARGET}x") is None
            await store.delete(["_stage/"])
            assert await contents(store) == BESIDE

        self._with_store(check, tmp_path)

    def test_what_is_replaced_is_kept(self, tmp_path: Path) -> None:
        """All of it, where it is to be kept; doing it again, wherever it was interrupted, changes nothing."""

        async def check(store: KeyStore) -> None:
            for steps in (None, *range(0, _STEPS, 4)):
                await store.put({**BESIDE, **_at(TARGET, WHOLE), **_at(STAGE, NEW)})
                if steps is not None:
                    await _in_part(lambda: store.replace_all([REPLACED]), steps)
                for _ in range(2):
                    await store.replace_all([REPLACED])
                    assert await contents(store, TARGET) == _at(TARGET, NEW), f"interrupted after {steps} steps"
                    assert await contents(store, KEPT) == _at(KEPT, WHOLE), f"interrupted after {steps} steps"
                await store.delete([STAGE, TARGET, "_kept/"])
                assert await contents(store) == BESIDE

        self._with_store(check, tmp_path)

    def test_what_is_taken_away_is_kept(self, tmp_path: Path) -> None:
        """All of it; doing it again changes nothing, and nothing is kept where nothing was."""

        async def check(store: KeyStore) -> None:
            await store.replace_all([TAKEN_AWAY])
            assert await contents(store) == {}
            for steps in (None, *range(0, _STEPS, 4)):
                await store.put({**BESIDE, **_at(TARGET, WHOLE)})
                if steps is not None:
                    await _in_part(lambda: store.replace_all([TAKEN_AWAY]), steps)
                for _ in range(2):
                    await store.replace_all([TAKEN_AWAY])
                    assert await contents(store) == {**BESIDE, **_at(KEPT, WHOLE)}, f"interrupted after {steps} steps"
                await store.delete(["_kept/"])

        self._with_store(check, tmp_path)


async def _publish_in_part(store: KeyStore, steps: int) -> None:
    """Publish, and cancel it after some steps of the event loop."""
    await _in_part(lambda: store.publish(STAGE, TARGET), steps)


async def _in_part(step: Callable[[], Coroutine[Any, Any, None]], steps: int) -> None:
    """Do something, and cancel it after some steps of the event loop."""
    async with anyio.create_task_group() as group:
        group.start_soon(step)
        for _ in range(steps):
            await checkpoint()
        group.cancel_scope.cancel()


def _at(prefix: str, objects: dict[str, bytes]) -> dict[str, bytes]:
    return {prefix + key: data for key, data in objects.items()}
