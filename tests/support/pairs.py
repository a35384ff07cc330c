"""Few combinations of the values of several factors."""

import itertools


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
