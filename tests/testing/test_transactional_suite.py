"""The suite of stores that commit by themselves passes what is sound, and each of its checks finds the fault it is there for."""

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

OPENING = "test_opening_what_is_missing_creates_nothing"
AT_ONCE = "test_opening_at_once_waits_for_nothing"
READ_ONLY = "test_a_store_open_for_reading_refuses_every_write"
READ = "test_what_is_committed_is_read"
LISTED = "test_a_listing_names_what_is_there"
DELETED = "test_what_is_deleted_is_gone"
STAYS = "test_a_snapshot_stays_as_it_is"
ZARR = "test_zarr_reads_a_snapshot"
DOCUMENT = "test_a_document_is_loaded_by_its_name"
MOMENT = "test_a_moment_is_a_snapshot"
TAG = "test_a_tag_is_a_snapshot"
UNKNOWN = "test_an_unknown_moment_is_an_error"
HISTORY = "test_the_history_is_told_newest_first"
VACUUM = "test_a_vacuum_forgets_what_is_old"
UNCOMMITTED = "test_what_is_not_committed_is_not_there"
SESSION = "test_a_session_reads_what_it_has_written"
OLDER = "test_a_commit_on_an_older_snapshot_is_refused"
JOINED = "test_changes_of_different_parts_are_joined"
SAME = "test_changes_of_the_same_part_conflict"
MAKING = "test_a_vacuum_takes_nothing_from_a_change_in_the_making"
MADE = "test_a_store_is_made_once"
FORKS = "test_forks_are_merged_into_one_commit"
WRITTEN = "test_a_session_that_was_written_to_is_not_forked"
PICKLE = "test_a_pickled_store_is_the_same_store"
REOPENED = "test_a_pickled_store_reopens_in_another_process"
LOOPS = "test_a_store_serves_several_event_loops"
THREADS = "test_of_several_threads_one_commits"
PROCESSES = "test_of_several_processes_one_commits"
THREADS_LOSE_NONE = "test_no_commit_of_several_threads_is_lost"
PROCESSES_LOSE_NONE = "test_no_commit_of_several_processes_is_lost"
MAKERS = "test_several_processes_make_one_store"
FORKS_ELSEWHERE = "test_forks_are_written_in_other_processes"
CREDENTIALS = "test_errors_show_the_url_and_no_credential"

CHECKS = sorted({name for base in TransactionalStoreSuite.__mro__ for name in vars(base) if name.startswith("test_")})
OF_PROCESSES = {REOPENED, PROCESSES, PROCESSES_LOSE_NONE, MAKERS, FORKS, FORKS_ELSEWHERE}


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


def test_a_store_without_tags_is_not_asked_for_them(tmp_path):
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
    (NeedsALaterTime, MOMENT),
    (TakesTagsForTheNewest, TAG),
    (TakesTheOldestForTheUnknown, UNKNOWN),
    (ForgetsWhatWasSaid, HISTORY),
    (KeepsEverything, VACUUM),
    (ForgetsTheNewest, VACUUM),
    (TakesFromChangesInTheMaking, MAKING),
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
    (ForgetsOthersWhenItRebases, JOINED),
    (MakesItselfAgain, MADE),
    (LosesWhatForksHold, FORKS),
    (MergesOneFork, FORKS),
    (MergesOneFork, FORKS_ELSEWHERE),
    (Crossing, REOPENED),
    (Crossing, PROCESSES),
    (Crossing, PROCESSES_LOSE_NONE),
    (Crossing, MAKERS),
]


@pytest.mark.parametrize(("store", "check"), FOUND_BY_ONE_CHECK)
def test_a_single_fault_is_found_by_the_one_check_that_is_there_for_it(store, check, tmp_path):
    assert with_outcome("failed", outcomes(store, tmp_path)) == {check}


@pytest.mark.parametrize(("store", "check"), FOUND_BY_SEVERAL_CHECKS)
def test_a_fault_of_many_consequences_is_found_by_the_check_that_is_there_for_it(store, check, tmp_path):
    assert outcome(getattr(suite_of(store), check), tmp_path / "checked") == "failed"


def test_forks_that_hold_all_that_was_written_cross_processes(tmp_path):
    for check in (FORKS, FORKS_ELSEWHERE):
        assert outcome(getattr(suite_of(Crossing), check), tmp_path / check) == "passed"


def test_every_check_is_there_for_a_fault():
    assert {check for _, check in FOUND_BY_ONE_CHECK + FOUND_BY_SEVERAL_CHECKS} == set(CHECKS)
