import numpy as np
import pytest
from hypothesis import strategies as st
from partitioning_by_healpix.cells import cell_of
from partitioning_by_healpix.partitioning import HEALPix

from zcollection.testing import PartitioningSuite, PluginSuite
from zcollection.testing.partitioning import table


class TestPlugin(PluginSuite):
    distribution = "partitioning-by-healpix"


class TestHEALPix(PartitioningSuite):
    examples = (HEALPix(("lat", "lon")), HEALPix(("nav/lat", "nav/lon"), order=0))

    def columns(self, partitioning):
        latitude, longitude = partitioning.variables
        return table({latitude: ("float64", st.floats(-90, 90)), longitude: ("float64", st.floats(-180, 360))})


def centres(nside):
    """Latitudes and longitudes of the cells' centres, ring by ring: equations 4 to 9 of the paper."""
    for ring in range(1, 4 * nside):
        cap = min(ring, 4 * nside - ring)
        if cap < nside:
            count, shift, z = 4 * cap, 0.5, 1 - cap**2 / (3 * nside**2)
            z = z if ring < 2 * nside else -z
        else:
            count, shift, z = 4 * nside, 0.5 * ((ring - nside + 1) % 2), 4 / 3 - 2 * ring / (3 * nside)
        for number in range(count):
            yield np.rad2deg(np.arcsin(z)), 360 / count * (number + shift)


@pytest.mark.parametrize("nside", [1, 2, 4, 8])
def test_each_centre_lies_in_its_own_cell(nside):
    latitude, longitude = np.array(list(centres(nside))).T
    assert latitude.size == 12 * nside**2
    np.testing.assert_array_equal(cell_of(latitude, longitude, nside), np.arange(latitude.size))


def test_the_cells_have_one_area():
    random = np.random.default_rng(0)
    latitude, longitude = np.rad2deg(np.arcsin(random.uniform(-1, 1, 480_000))), random.uniform(0, 360, 480_000)
    counts = np.bincount(cell_of(latitude, longitude, 2), minlength=48)
    assert np.abs(counts - 10_000).max() < 600  # six standard deviations
