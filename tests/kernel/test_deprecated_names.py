"""Deprecated names return what replaces them, and emit a warning that names it."""

import pytest

from zcollection import plugin
from zcollection.testing import partitioning


@pytest.mark.parametrize(
    ("module", "old", "new"), [(plugin, "length_of", "duration_of"), (partitioning, "texts", "strings")]
)
def test_a_deprecated_name_still_works_and_warns(module, old, new):
    with pytest.warns(DeprecationWarning, match=rf"{old} is deprecated, .* release 2028\.1\.0; use {new}$"):
        assert getattr(module, old) is getattr(module, new)


@pytest.mark.parametrize("module", [plugin, partitioning])
def test_an_unknown_name_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match="has no attribute 'unknown'"):
        _ = module.unknown
