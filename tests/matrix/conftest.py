"""Which combinations are tried: pairs of each two values in the ordinary run, all with ``--every-combination``."""

import itertools

from zcollection.testing.servers import ministack_server

__all__ = ["ministack_server"]


def pytest_addoption(parser):
    parser.addoption("--every-combination", action="store_true", help="try every combination, not only every pair")


def pytest_generate_tests(metafunc):
    factors = getattr(metafunc.function, "factors", None)
    if factors is not None:
        whole = metafunc.config.getoption("every_combination", default=False)
        few = getattr(metafunc.function, "few", None) or pairwise(list(factors.values()))
        cases = list(itertools.product(*factors.values())) if whole else few
        metafunc.parametrize(list(factors), cases, ids=[", ".join(map(str, case)) for case in cases])


def pairwise(factors):
    """Return few combinations in which every two values of different factors meet, always the same ones."""
    missing = {
        ((one, first), (other, second))
        for (one, values), (other, others) in itertools.combinations(enumerate(factors), 2)
        for first in values
        for second in others
    }
    cases = []
    while missing:
        case = _most(missing, factors)
        missing -= _pairs(case)
        cases.append(case)
    return cases


def _most(missing, factors):
    """Return a combination that has the first of the missing pairs, and many others."""
    given = dict(min(missing, key=repr))
    for position, values in enumerate(factors):
        if position not in given:
            given[position] = max(values, key=lambda value: _gain(given, position, value, missing))
    return tuple(given[position] for position in range(len(factors)))


def _gain(given, position, value, missing):
    return sum(
        pair in missing
        for pair in itertools.combinations(sorted({**given, position: value}.items(), key=lambda item: item[0]), 2)
    )


def _pairs(case):
    return set(itertools.combinations(enumerate(case), 2))
