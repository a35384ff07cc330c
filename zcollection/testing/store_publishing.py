"""Checks of stores: publication of staged groups, complete and repeatable, also after interruptions."""

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
REMOVED = Replacement(target=TARGET, kept=KEPT)

_STEPS = 25
"""Number of steps of the event loop after which a publication is interrupted."""


class PublishingChecks(StoreSuite[KeyStore]):
    """Checks of staged, published and removed groups."""

    def test_a_staged_group_is_published_at_a_free_target(self, tmp_path: Path) -> None:
        """All objects of the group are published, at any depth; other objects do not change."""

        async def check(store: KeyStore) -> None:
            for target in (TARGET, "year=2024/month=03/day=04/"):
                await store.put({**BESIDE, **_at(STAGE, NEW)})
                await store.publish(STAGE, target)
                assert await contents(store, target) == _at(target, NEW)
                await store.delete([STAGE])
            assert await contents(store, "p=10/") == {"p=10/x": b"beside"}
            assert await read(store, "p=1.5") == b"beside"

        self._with_store(check, tmp_path)

    def test_a_staged_group_replaces_the_existing_one(self, tmp_path: Path) -> None:
        """No object of the old group remains, and other objects do not change."""

        async def check(store: KeyStore) -> None:
            await store.put({**BESIDE, **_at(TARGET, OLD), **_at(STAGE, NEW)})
            await store.publish(STAGE, TARGET)
            await store.delete([STAGE])
            assert await contents(store) == {**BESIDE, **_at(TARGET, NEW)}

        self._with_store(check, tmp_path)

    def test_publishing_again_changes_nothing(self, tmp_path: Path) -> None:
        """A writer repeats a publication if it does not know whether it was completed."""

        async def check(store: KeyStore) -> None:
            for before in (OLD, {}):
                await store.put({**_at(TARGET, before), **_at(STAGE, NEW)})
                for _ in range(3):
                    await store.publish(STAGE, TARGET)
                    assert await contents(store, TARGET) == _at(TARGET, NEW)
                await store.delete([STAGE, TARGET])

        self._with_store(check, tmp_path)

    def test_a_group_can_be_staged_and_published_again(self, tmp_path: Path) -> None:
        """A prefix can be used again after its staged objects were deleted."""

        async def check(store: KeyStore) -> None:
            for turn in range(3):
                await store.put({f"{STAGE}x": bytes([turn]), f"{STAGE}only-{turn}": b""})
                await store.publish(STAGE, TARGET)
                await store.delete([STAGE])
                assert await contents(store, TARGET) == {f"{TARGET}only-{turn}": b"", f"{TARGET}x": bytes([turn])}

        self._with_store(check, tmp_path)

    def test_an_interrupted_publication_is_completed_by_another(self, tmp_path: Path) -> None:
        """A publication can be completed after a cancellation at any step, and if some objects were already copied."""

        async def check(store: KeyStore) -> None:
            for steps in range(_STEPS):
                await store.put({**_at(TARGET, OLD), **_at(STAGE, NEW)})
                await _publish_interrupted(store, steps)
                await store.publish(STAGE, TARGET)
                assert await contents(store, TARGET) == _at(TARGET, NEW), f"interrupted after {steps} steps"
                await store.delete([STAGE, TARGET])
            await store.put({**_at(TARGET, OLD), **_at(STAGE, NEW)})
            await store.copy([(f"{STAGE}c/z", f"{TARGET}c/z"), (f"{STAGE}x", f"{TARGET}x")])
            await store.publish(STAGE, TARGET)
            assert await contents(store, TARGET) == _at(TARGET, NEW)

        self._with_store(check, tmp_path)

    def test_a_staged_group_without_its_document_replaces_no_group(self, tmp_path: Path) -> None:
        """A staged group without its document was published, and then removed in part: publishing it again changes nothing."""

        async def check(store: KeyStore) -> None:
            await store.put({**_at(TARGET, NEW), f"{STAGE}x": b"left over"})
            await store.publish(STAGE, TARGET)
            await store.delete([STAGE])
            assert await contents(store) == _at(TARGET, NEW)

        self._with_store(check, tmp_path)

    def test_unpublishing_removes_all_of_a_group(self, tmp_path: Path) -> None:
        """Other objects do not change, and another group can be published at the same prefix."""

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

    def test_unpublishing_again_changes_nothing(self, tmp_path: Path) -> None:
        """A repetition, a missing group and a trash that is not empty are no errors."""

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

    def test_a_replaced_group_is_kept(self, tmp_path: Path) -> None:
        """All its objects are kept; a repetition after an interruption at any step completes this, and later ones change nothing."""

        async def check(store: KeyStore) -> None:
            for steps in (None, *range(0, _STEPS, 4)):
                await store.put({**BESIDE, **_at(TARGET, WHOLE), **_at(STAGE, NEW)})
                if steps is not None:
                    await _interrupted(lambda: store.replace_all([REPLACED]), steps)
                for _ in range(2):
                    await store.replace_all([REPLACED])
                    assert await contents(store, TARGET) == _at(TARGET, NEW), f"interrupted after {steps} steps"
                    assert await contents(store, KEPT) == _at(KEPT, WHOLE), f"interrupted after {steps} steps"
                await store.delete([STAGE, TARGET, "_kept/"])
                assert await contents(store) == BESIDE

        self._with_store(check, tmp_path)

    def test_a_removed_group_is_kept(self, tmp_path: Path) -> None:
        """All its objects are kept; a repetition changes nothing, and without a group nothing is kept."""

        async def check(store: KeyStore) -> None:
            await store.replace_all([REMOVED])
            assert await contents(store) == {}
            for steps in (None, *range(0, _STEPS, 4)):
                await store.put({**BESIDE, **_at(TARGET, WHOLE)})
                if steps is not None:
                    await _interrupted(lambda: store.replace_all([REMOVED]), steps)
                for _ in range(2):
                    await store.replace_all([REMOVED])
                    assert await contents(store) == {**BESIDE, **_at(KEPT, WHOLE)}, f"interrupted after {steps} steps"
                await store.delete(["_kept/"])

        self._with_store(check, tmp_path)


async def _publish_interrupted(store: KeyStore, steps: int) -> None:
    """Start a publication, and cancel it after a number of steps of the event loop."""
    await _interrupted(lambda: store.publish(STAGE, TARGET), steps)


async def _interrupted(step: Callable[[], Coroutine[Any, Any, None]], steps: int) -> None:
    """Start a function, and cancel it after a number of steps of the event loop."""
    async with anyio.create_task_group() as group:
        group.start_soon(step)
        for _ in range(steps):
            await checkpoint()
        group.cancel_scope.cancel()


def _at(prefix: str, objects: dict[str, bytes]) -> dict[str, bytes]:
    return {prefix + key: data for key, data in objects.items()}
