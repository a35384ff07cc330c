"""The selection of rows to draw: up to the limit, spread over all rows, in few blocks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from zcollection_plot.thinning import WIDEST, blocks_of, every_nth, some_of

RUNS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 40)), max_size=8)


@settings(deadline=None)
@given(st.lists(RUNS, max_size=4), st.integers(1, 20))
def test_blocks_have_the_rows_asked_for(parts, length):
    ranges, wanted = [], []
    for part in parts:
        at, runs = 0, []
        for gap, count in part:
            runs.append((at + gap, at + gap + count))
            at += gap + count
        rows = np.concatenate([np.arange(*run) for run in runs] or [np.empty(0, int)])
        ranges.append(np.array(runs, np.int64).reshape(-1, 2))
        wanted += np.unique(rows // length, return_counts=True)[1].tolist()
    assert blocks_of(ranges, length).tolist() == wanted


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=300), st.integers(1, 40))
def test_few_blocks_are_read_and_no_more_rows_drawn_than_may_be(blocks, limit):
    found = some_of(np.array(blocks), limit)
    total = sum(blocks)
    assert found.total == total
    assert 1 <= len(found.positions) <= limit
    assert (np.diff(found.positions) > 0).all()
    assert found.positions[0] >= 0
    assert found.positions[-1] < total
    if total > limit * WIDEST:
        number = np.searchsorted(np.cumsum(blocks), found.positions, side="right")
        groups = -(-total // (limit * WIDEST))
        assert len(np.unique(number)) <= -(-len(blocks) // groups)
    else:
        np.testing.assert_array_equal(found.positions, np.arange(0, total, -(-total // limit)))


def test_what_is_drawn_of_many_chunks_is_spread_over_them():
    found = some_of(np.full(10_000, 4096), 20_000)
    assert len(found.positions) > 15_000
    chunks = np.unique(found.positions // 4096)
    assert len(chunks) * 4096 <= 20_000 * WIDEST + 4096
    assert np.diff(chunks).max() < 10_000 / len(chunks) * 2.1
    assert abs((chunks % 2).mean() - 0.5) < 0.1  # as many ascending as descending passes


def test_rows_apart_are_those_with_others_between():
    found = some_of(np.full(64, 8), 4)
    np.testing.assert_array_equal(found.is_apart, np.diff(found.positions) > found.every)
    assert found.is_apart.any()
    assert not every_nth(100, 9).is_apart.any()
