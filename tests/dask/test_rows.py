"""Rows that are asked for on a cluster are those that are found without one, and so is what becomes of them."""

import itertools

import numpy as np
import pytest
import tracks
import workers

import zcollection as zc
from zcollection import rows as asked

CONDITIONS = [
    *tracks.CONDITIONS[::3],
    asked.function(lambda flag, land: (flag == 2) & land, ["flag", "land"]),
    "id < 0",
]


@pytest.fixture
def track(url):
    made = tracks.create(url)
    made.insert(tracks.rows(np.random.default_rng(0), 1000))
    return made


def test_each_question_has_the_same_answer(client, track):
    for where in CONDITIONS:
        wanted = track.query(where=where)
        assert track.query(where=where, client=client) == wanted
        assert track.query(where=where, client=client, lazy=True) == wanted
        found = track.find(where, client=client)
        assert found == track.find(where)
        assert len(found) == track.count(where, client=client) == len(workers.ids(wanted))
        assert track.query(where=found, client=client) == wanted
        apart = track.map(workers.ids, where=where, client=client)
        assert apart == track.map(workers.ids, where=where)
        assert list(itertools.chain(*apart.values())) == workers.ids(wanted)


def test_rows_are_changed_and_deleted_as_by_threads(client, track, tmp_path):
    here = track.copy(str(tmp_path / "here"))
    where = "land and latitude > 10"
    plan = track.update(workers.flagged, where=where, dry_run=True, client=client)
    assert plan == here.update(workers.flagged, where=where, dry_run=True)
    assert (
        track.update(workers.flagged, where=where, client=client)
        == here.update(workers.flagged, where=where)
        == tuple(plan.rows)
    )
    assert track.query() == here.query()
    found = track.find("flag == 3 or day == 2", client=client)
    gone = [one.delete("flag == 3 or day == 2", dry_run=True, client=it) for one, it in ((track, client), (here, None))]
    assert gone[0] == gone[1] == track.delete(found, client=client) == here.delete("flag == 3 or day == 2")
    assert track.query() == here.query()
    for one in (track, here):
        assert one.verify(data=True).is_clean
        assert not one.verify().notes
    assert tracks.answers(track) == tracks.answers(here)
    with pytest.raises(zc.errors.OutdatedError):
        track.query(where=found - track.find("land"), client=client)
