"""Runs of values: gaps, intervals, duplicates and disorder, against pandas on the values themselves."""

from itertools import pairwise

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from zcollection_coverage.runs import Covered, Runs

_STEPS = st.sampled_from([0, 1, 1, 1, 1, 2, 7, -3])
_SERIES = st.lists(st.tuples(st.integers(-9, 9), st.lists(_STEPS, max_size=24)), min_size=1, max_size=3)


def _runs(series) -> Runs:
    """Return series as runs, each with the most frequent of its steps."""
    found = []
    for owner, values in enumerate(series):
        steps = np.diff(values)
        step = pd.Series(steps).mode().iloc[0] if len(steps) else 0
        edges = [0, *(np.flatnonzero(steps != step) + 1), len(values)]
        found += [(values[first], step, last - first, owner) for first, last in pairwise(edges)]
    starts, steps, rows, owners = np.array(found, np.int64).T
    return Runs(starts=starts, steps=steps, rows=rows, owners=owners)


@settings(deadline=None)
@given(_SERIES, st.integers(0, 4), st.booleans())
def test_what_runs_cover_is_what_their_values_do(given_series, gap, are_one):
    series = [first + np.cumsum([0, *steps]) for first, steps in given_series]
    runs = _runs(series)
    differences = pd.concat([pd.Series(values).diff() for values in series])
    positive = differences[differences > 0]
    assert runs.most_frequent_step() == (positive.mode().iloc[0] if len(positive) else None)
    assert runs.backward(len(series)).tolist() == [(np.diff(values) < 0).sum() for values in series]
    if are_one:
        runs, series = runs.of_one(), [np.concatenate(series)]
    covered = Covered.of(runs, gap)
    gaps, intervals = covered.gaps, covered.intervals
    for owner, values in enumerate(series):
        unique = np.unique(values)
        wide = np.diff(unique) > gap
        assert covered.duplicates(len(series))[owner] == pd.Series(values).duplicated().sum()
        of_owner = gaps.owners == owner
        assert gaps.starts[of_owner].tolist() == unique[:-1][wide].tolist()
        assert gaps.stops[of_owner].tolist() == unique[1:][wide].tolist()
        edges = [0, *(np.flatnonzero(wide) + 1), len(unique)]
        expected = [(unique[first], unique[last - 1]) for first, last in pairwise(edges)]
        within = [((values >= first) & (values <= last)).sum() for first, last in expected]
        of_owner = intervals.owners == owner
        assert list(zip(intervals.starts[of_owner], intervals.stops[of_owner], strict=True)) == expected
        assert intervals.rows[of_owner].tolist() == within


def test_no_runs_cover_nothing():
    none = np.empty(0, np.int64)
    covered = Covered.of(Runs(starts=none, steps=none, rows=none, owners=none), 1)
    assert not len(covered.gaps.starts)
    assert not len(covered.intervals.starts)
    assert covered.duplicates(2).tolist() == [0, 0]
    assert covered.runs.most_frequent_step() is None
