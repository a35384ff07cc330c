"""The suite of stores that only read passes what is sound, and each of its checks finds the fault that it is there for."""

import broken_published as broken
import pytest
from suites import outcome, with_outcome

from zcollection.testing import PublishedStoreSuite

FOUND = {
    broken.FindsWhatIsMissing: {"test_where_nothing_is_published_nothing_is_read", "test_what_is_published_is_read"},
    broken.DecodesKeys: {"test_what_is_published_is_read"},
    broken.CutsRangesShort: {"test_ranges_are_slices"},
    broken.OpensForWriting: {"test_every_write_is_refused"},
    broken.ReadsOutside: {"test_a_key_that_leaves_the_store_is_refused"},
    broken.ListsNothing: {"test_a_listing_is_whole_or_refused"},
    broken.ListsAPart: {"test_a_listing_is_whole_or_refused"},
    broken.BecomesAnotherWhenPickled: {"test_a_pickled_store_is_the_same_store"},
    broken.ServesOneLoopOnly: {"test_a_store_serves_several_event_loops"},
    broken.SaysThatItListsToZarr: {"test_zarr_reads_what_is_published"},
    broken.ShowsItsURL: {"test_errors_show_the_url_and_no_credential"},
}
CHECKS = {name for name in dir(PublishedStoreSuite) if name.startswith("test_")}
AT_ONCE = {"test_opening_at_once_waits_for_nothing"}


def outcomes(cls, folder):
    class Suite(PublishedStoreSuite):
        store_class = cls

        def url(self, folder):
            return f"tiny://{folder}"

        def publish(self, folder, objects):
            broken.DATA[str(folder)] = {key: (data, "") for key, data in objects.items()}

    return {name: outcome(getattr(Suite(), name), folder / name) for name in sorted(CHECKS - AT_ONCE)}


def test_what_is_sound_passes(tmp_path):
    found = outcomes(broken.Reader, tmp_path)
    assert with_outcome("failed", found) == set()
    assert with_outcome("skipped", found) == {"test_a_pickled_store_is_the_same_store"}


@pytest.mark.parametrize("cls", FOUND, ids=lambda cls: cls.__name__)
def test_a_fault_is_found(cls, tmp_path):
    failed = with_outcome("failed", outcomes(cls, tmp_path))
    assert FOUND[cls] <= failed


def test_each_check_finds_a_fault():
    assert set().union(*FOUND.values()) == CHECKS - AT_ONCE
