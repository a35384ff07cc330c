"""An option of a store or of a partitioning that is none of the accepted ones is refused by an error that is a ValueError too."""

import pytest

import zcollection as zc


def refused(message):
    return pytest.raises(ValueError, match=f"(?s){message}.*accepted: ")


def test_an_option_of_a_store_or_of_a_strategy(tmp_path):
    with refused("fsync='yes'"):
        zc.open_collection(tmp_path, storage_options={"fsync": "yes"})
    with refused("no option 'fsyncc'"):
        zc.open_collection(tmp_path, storage_options={"fsyncc": True})
    with refused("resolution.*'Q'"):
        zc.partitioning.Date(("time",), resolution="Q")
