"""Which combinations are tried: pairs of each two values in the ordinary run, all with ``--every-combination``."""

import itertools

import effort
from pairs import pairwise

from zcollection.testing.servers import ministack_server

__all__ = ["ministack_server"]


def pytest_addoption(parser):
    parser.addoption("--every-combination", action="store_true", help="try every combination, not only every pair")


def pytest_generate_tests(metafunc):
    factors = getattr(metafunc.function, "factors", None)
    if factors is not None:
        whole = effort.is_thorough() or metafunc.config.getoption("every_combination", default=False)
        few = getattr(metafunc.function, "few", None) or pairwise(list(factors.values()))
        cases = list(itertools.product(*factors.values())) if whole else few
        metafunc.parametrize(list(factors), cases, ids=[", ".join(map(str, case)) for case in cases])
