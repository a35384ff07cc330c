"""The suite of read-only stores passes a sound store, and each of its checks finds a fault of its kind."""

import broken_published as broken
import pytest
from suites import outcome, with_outcome

from zcollection.testing import PublishedStoreSuite

FOUND = {
    broken.FindsWhatIsMissing: {"test_missing_objects_are_none", "test_published_objects_are_read"},
    broken.DecodesKeys: {"test_published_objects_are_read"},
    broken.CutsRangesShort: {"test_ranges_are_slices"},
    broken.OpensForWriting: {"test_every_write_is_rejected"},
    broken.ReadsOutside: {"test_a_key_outside_the_store_is_rejected"},
    broken.ListsNothing: {"test_a_listing_is_complete_or_an_error"},
    broken.ListsAPart: {"test_a_listing_is_complete_or_an_error"},
    broken.BecomesAnotherWhenPickled: {"test_a_pickled_store_is_the_same_store"},
    broken.ServesOneLoopOnly: {"test_a_store_serves_several_event_loops"},
    broken.SaysThatItListsToZarr: {"test_zarr_reads_published_objects"},
    broken.ShowsItsURL: {"test_errors_show_the_url_and_no_credential"},
}
CHECKS = {name for name in dir(PublishedStoreSuite) if name.startswith("test_")}
AT_ONCE = {"test_opening_at_once_does_not_wait"}


def outcomes(cls, folder):
    class Suite(PublishedStoreSuite):
        store_class = cls

        def url(self, folder):
            return f"tiny://{folder}"

        def publish(self, folder, objects):
            broken.DATA[str(folder)] = {key: (data, "") for key, data in objects.items()}

    return {name: outcome(getattr(Suite(), name), folder / name) for name in sorted(CHECKS - AT_ONCE)}


def test_a_sound_store_passes(tmp_path):
    found = outcomes(broken.Reader, tmp_path)
    assert with_outcome("failed", found) == set()
    assert with_outcome("skipped", found) == {"test_a_pickled_store_is_the_same_store"}


@pytest.mark.parametrize("cls", FOUND, ids=lambda cls: cls.__name__)
def test_a_fault_is_found(cls, tmp_path):
    failed = with_outcome("failed", outcomes(cls, tmp_path))
    assert FOUND[cls] <= failed


def test_every_check_finds_a_fault():
    assert set().union(*FOUND.values()) == CHECKS - AT_ONCE
