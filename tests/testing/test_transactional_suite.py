"""The suite of transactional stores passes a sound store, and each of its checks finds a fault of its kind."""

from typing import ClassVar

import pytest
from broken_repositories import (
    CommitsOverOthers,
    Crossing,
    DeniesThatItLists,
    ForgetsItsModeWhenPickled,
    ForgetsOthersWhenItRebases,
    ForgetsTheNewest,
    ForgetsWhatWasSaid,
    ForksWhatWasWrittenTo,
    GivesSnapshotsToWriteTo,
    KeepsEverything,
    ListsWhatStartsAlike,
    LoadsTheNewestDocument,
    LooksBeforeItCommits,
    LosesAnAnswer,
    LosesWhatForksHold,
    MakesItselfAgain,
    MakesWhatItOpens,
    MergesOneFork,
    NeedsALaterTime,
    NeedsSomethingToDelete,
    ReadsWhatWasCommitted,
    ReadsWholeObjects,
    RebasesOnAnything,
    ServesOneLoop,
    ShowsTheNewest,
    TakesFromChangesInTheMaking,
    TakesTagsForTheNewest,
    TakesTheOldestForTheUnknown,
    TellsItsKey,
    TellsTheOldestFirst,
    WaitsWhileItOpens,
    WritesThrough,
    WritesWhileReading,
)
from repositories import RepositoryStore
from suites import outcome, with_outcome

from zcollection.testing import TransactionalStoreSuite
from zcollection.testing.store_base import SECRET

OPENING = "test_opening_a_missing_store_creates_nothing"
AT_ONCE = "test_opening_at_once_does_not_wait"
READ_ONLY = "test_a_read_only_store_rejects_every_write"
READ = "test_committed_objects_are_read"
LISTED = "test_a_listing_contains_every_entry"
DELETED = "test_deleted_objects_are_missing"
STAYS = "test_a_snapshot_does_not_change"
ZARR = "test_zarr_reads_a_snapshot"
DOCUMENT = "test_a_document_is_loaded_by_its_name"
RESOLVED = "test_ids_and_times_resolve_to_snapshots"
TAG = "test_tags_resolve_to_snapshots"
UNKNOWN = "test_an_unknown_snapshot_is_an_error"
HISTORY = "test_the_history_starts_with_the_newest_commit"
VACUUM = "test_a_vacuum_removes_old_snapshots"
UNCOMMITTED = "test_uncommitted_changes_are_not_visible"
SESSION = "test_a_session_reads_its_own_writes"
OLDER = "test_a_commit_on_an_older_snapshot_is_rejected"
MERGED = "test_changes_of_different_parts_are_merged"
SAME = "test_changes_of_the_same_part_conflict"
UNCOMMITTED_KEPT = "test_a_vacuum_does_not_damage_an_uncommitted_change"
CREATED = "test_a_store_is_created_once"
FORKS = "test_forks_are_merged_into_one_commit"
WRITTEN = "test_a_session_with_changes_cannot_be_forked"
PICKLE = "test_a_pickled_store_is_the_same_store"
REOPENED = "test_a_pickled_store_reopens_in_another_process"
LOOPS = "test_a_store_serves_several_event_loops"
THREADS = "test_of_several_threads_one_commits"
PROCESSES = "test_of_several_processes_one_commits"
THREADS_LOSE_NONE = "test_no_commit_of_several_threads_is_lost"
PROCESSES_LOSE_NONE = "test_no_commit_of_several_processes_is_lost"
CREATORS = "test_several_processes_create_one_store"
FORKS_ELSEWHERE = "test_forks_are_written_in_other_processes"
CREDENTIALS = "test_errors_show_the_url_and_no_credential"

CHECKS = sorted({name for base in TransactionalStoreSuite.__mro__ for name in vars(base) if name.startswith("test_")})
OF_PROCESSES = {REOPENED, PROCESSES, PROCESSES_LOSE_NONE, CREATORS, FORKS, FORKS_ELSEWHERE}


def suite_of(store):
    class Checked(TransactionalStoreSuite):
        store_class = store
        secret_options: ClassVar = {"key": SECRET}

        def url(self, folder):
            return f"repository://{folder}"

        async def tag(self, store, name, snapshot):
            store.repository.tags[name] = snapshot

    return Checked()


def outcomes(store, folder):
    suite = suite_of(store)
    return {name: outcome(getattr(suite, name), folder / name) for name in CHECKS}


def test_a_sound_store_passes_and_skips_what_it_does_not_declare(tmp_path):
    found = outcomes(RepositoryStore, tmp_path)
    assert with_outcome("failed", found) == set()
    assert with_outcome("skipped", found) == OF_PROCESSES


def test_the_check_of_tags_is_skipped_for_a_store_without_tags(tmp_path):
    class Untagged(TransactionalStoreSuite):
        store_class = RepositoryStore

        def url(self, folder):
            return f"repository://{folder}"

    assert outcome(getattr(Untagged(), TAG), tmp_path / "checked") == "skipped"


FOUND_BY_ONE_CHECK = [
    (WaitsWhileItOpens, AT_ONCE),
    (GivesSnapshotsToWriteTo, READ_ONLY),
    (WritesWhileReading, READ_ONLY),
    (ReadsWholeObjects, READ),
    (ListsWhatStartsAlike, LISTED),
    (NeedsSomethingToDelete, DELETED),
    (DeniesThatItLists, ZARR),
    (LoadsTheNewestDocument, DOCUMENT),
    (NeedsALaterTime, RESOLVED),
    (TakesTagsForTheNewest, TAG),
    (TakesTheOldestForTheUnknown, UNKNOWN),
    (ForgetsWhatWasSaid, HISTORY),
    (KeepsEverything, VACUUM),
    (ForgetsTheNewest, VACUUM),
    (TakesFromChangesInTheMaking, UNCOMMITTED_KEPT),
    (RebasesOnAnything, SAME),
    (ForksWhatWasWrittenTo, WRITTEN),
    (ForgetsItsModeWhenPickled, PICKLE),
    (LosesAnAnswer, THREADS_LOSE_NONE),
    (TellsItsKey, CREDENTIALS),
]

FOUND_BY_SEVERAL_CHECKS = [
    (ServesOneLoop, LOOPS),
    (MakesWhatItOpens, OPENING),
    (ShowsTheNewest, STAYS),
    (TellsTheOldestFirst, HISTORY),
    (WritesThrough, UNCOMMITTED),
    (ReadsWhatWasCommitted, SESSION),
    (CommitsOverOthers, OLDER),
    (LooksBeforeItCommits, THREADS),
    (ForgetsOthersWhenItRebases, MERGED),
    (MakesItselfAgain, CREATED),
    (LosesWhatForksHold, FORKS),
    (MergesOneFork, FORKS),
    (MergesOneFork, FORKS_ELSEWHERE),
    (Crossing, REOPENED),
    (Crossing, PROCESSES),
    (Crossing, PROCESSES_LOSE_NONE),
    (Crossing, CREATORS),
]


@pytest.mark.parametrize(("store", "check"), FOUND_BY_ONE_CHECK)
def test_a_fault_with_one_effect_is_found_by_exactly_one_check(store, check, tmp_path):
    assert with_outcome("failed", outcomes(store, tmp_path)) == {check}


@pytest.mark.parametrize(("store", "check"), FOUND_BY_SEVERAL_CHECKS)
def test_a_fault_with_several_effects_is_found_by_its_check(store, check, tmp_path):
    assert outcome(getattr(suite_of(store), check), tmp_path / "checked") == "failed"


def test_complete_forks_can_be_written_in_other_processes(tmp_path):
    for check in (FORKS, FORKS_ELSEWHERE):
        assert outcome(getattr(suite_of(Crossing), check), tmp_path / check) == "passed"


def test_every_check_finds_a_fault():
    assert {check for _, check in FOUND_BY_ONE_CHECK + FOUND_BY_SEVERAL_CHECKS} == set(CHECKS)
