"""What a refresh computes: only what it must, from true neighbours, and again after any interruption."""

import computations
import numpy as np
import pytest
import samples
from attrs import frozen

import zcollection as zc
from zcollection.plugin import Computation, VariableSchema

TIMES = [1, 3, 12, 25, 26, 47]
PATHS = tuple(f"sign=plus/quotient={quotient}" for quotient in (0, 1, 2, 4))
SUM = computations.Sum(reach=2)


@pytest.fixture
def base(url):
    return samples.create(url, TIMES)


def make(base, computation, **options):
    return zc.create_view(f"{base.store.url}-view", base=base, computation=computation, **options)


def values(view, name="sum", **options):
    return view.query(variables=[name], **options)[name].to_numpy()


def expected(times, reach=2):
    return computations.sums(np.array(times) + 0.25, reach)


def test_a_refresh_computes_all_that_is_missing(base):
    view = make(base, SUM)
    assert view.status().missing == PATHS
    assert view.refresh() == zc.RefreshReport(computed=PATHS, dropped=(), waiting=())
    np.testing.assert_array_equal(values(view), expected(TIMES))
    assert view.status() == zc.ViewStatus(current=PATHS, stale=(), missing=(), orphaned=())
    assert view.status().is_current


def test_what_is_current_is_not_computed_again(base):
    view = make(base, SUM)
    view.refresh()
    versions = len(view.history())
    assert view.refresh().computed == ()
    assert len(view.history()) == versions, "and nothing is committed"
    assert view.refresh(everything=True).computed == PATHS


def test_only_what_used_a_changed_partition_is_computed_again(base):
    view = make(base, computations.Sum(reach=1))
    view.refresh()
    base.insert(samples.rows([48]))
    assert view.status().stale == PATHS[2:]
    np.testing.assert_array_equal(np.isnan(values(view)), [False, False, False, True, True, True])
    assert view.refresh().computed == PATHS[2:]
    np.testing.assert_array_equal(values(view), expected([1, 3, 12, 25, 26, 48], 1))


def test_a_partition_inserted_between_two_makes_both_stale(base):
    view = make(base, computations.Sum(reach=1))
    view.refresh()
    base.insert(samples.rows([35]))
    status = view.status()
    assert (status.stale, status.missing) == (PATHS[2:], ("sign=plus/quotient=3",))
    view.refresh()
    np.testing.assert_array_equal(values(view), expected([1, 3, 12, 25, 26, 35, 47], 1))


def test_partitions_that_the_base_has_lost_go(base):
    view = make(base, computations.Twice())
    view.refresh()
    base.drop_partitions(filters="quotient in (1, 4)")
    assert view.status().orphaned == (PATHS[1], PATHS[3])
    assert values(view, "twice").tolist() == [2.5, 6.5, 50.5, 52.5]
    assert view.refresh(filters="quotient < 3").dropped == (PATHS[1],)
    assert view.refresh() == zc.RefreshReport(computed=(), dropped=(PATHS[3],), waiting=())
    assert view.status().is_current


def test_a_filter_says_what_is_computed_not_what_is_read(base):
    view = make(base, SUM)
    assert view.refresh(filters="quotient == 1").computed == (PATHS[1],)
    found = values(view)
    assert found[2] == expected(TIMES)[2]
    assert np.isnan(np.delete(found, 2)).all()


def test_what_is_stale_can_be_computed_for_one_query_alone(base):
    view = make(base, SUM)
    view.refresh(filters="quotient < 2")
    base.insert(samples.rows([48]))
    now = [1, 3, 12, 25, 26, 48]
    np.testing.assert_array_equal(values(view, stale="compute"), expected(now))
    opened = zc.open_view(str(view.store.url))
    samples.assert_rows(opened.query(stale="compute"), now)
    np.testing.assert_array_equal(
        opened.query(stale="compute", filters="quotient == 4")["sum"].to_numpy(), expected(now)[-1:]
    )
    assert view.status().missing == PATHS[2:]
    with pytest.raises(zc.StaleError, match=r"call refresh\(\), or query with stale='fill'"):
        view.query(stale="error")
    with pytest.raises(zc.errors.SettingError, match="lazy=True"):
        view.query(stale="compute", lazy=True)


def test_a_later_computation_reads_what_an_earlier_one_makes(base):
    chain = [computations.Twice(), computations.Sum("twice", reach=1), computations.Sum("sum", name="sums", reach=2)]
    view = make(base, chain)
    view.refresh()
    once = computations.sums((np.array(TIMES) + 0.25) * 2, 1)
    np.testing.assert_array_equal(values(view), once)
    np.testing.assert_array_equal(values(view, "sums"), computations.sums(once, 2))
    assert view.variables == ("twice", "sum", "sums")
    base.insert(samples.rows([-5]))
    assert view.status().stale == PATHS[:2], "three rows away, and no more"
    assert [form.name for form in view.computations] == ["twice", "sum", "sum"]


def test_a_computation_may_take_the_place_of_its_input(base):
    view = make(base, computations.Twice(name="value"), shadow=True)
    view.refresh()
    assert values(view, "value").tolist() == [2.5, 6.5, 24.5, 50.5, 52.5, 94.5]
    view.refresh(everything=True)
    assert values(view, "value").tolist() == [2.5, 6.5, 24.5, 50.5, 52.5, 94.5]


def test_batches_are_committed_one_by_one_and_a_refresh_goes_on_where_it_was(base, register):
    @frozen
    class Failing(computations.Twice):
        def compute(self, rows):
            if rows["value"].to_numpy()[0] > limit:
                raise RuntimeError("interrupted")
            return super().compute(rows)

    register(Failing)
    view, limit = make(base, Failing()), 20
    with pytest.raises(RuntimeError, match="interrupted"):
        view.refresh(batch=1)
    assert view.status().current == PATHS[:2]
    limit = 100
    assert view.refresh().computed == PATHS[2:]
    assert [entry.partitions for entry in view.history()] == [0, 1, 1, 2]
    with pytest.raises(
        zc.errors.SettingError, match="batch=0; accepted: None, or a number of partitions of at least 1"
    ):
        view.refresh(batch=0)


def test_progress_counts_each_partition_once(base):
    seen = []
    make(base, SUM).refresh(batch=3, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_base_that_changes_meanwhile_is_computed_as_it_has_become(base, register):
    changed = []

    @frozen
    class Late(computations.Sum):
        def compute(self, rows):
            if not changed:
                changed.append(True)
                zc.open_collection(str(base.store.url), mode="rw").insert(samples.rows([13, 14]))
            return super().compute(rows)

    register(Late)
    view = make(base, Late(reach=1))
    view.refresh()
    view.refresh()
    assert view.status().is_current
    np.testing.assert_array_equal(values(view), expected([1, 3, 13, 14, 25, 26, 47], 1))


def test_two_that_refresh_the_same_commit_it_once(base, register):
    raced = []

    @frozen
    class Raced(computations.Twice):
        def compute(self, rows):
            if not raced:
                raced.append(True)
                zc.open_view(url, mode="rw").refresh()
            return super().compute(rows)

    register(Raced)
    view = make(base, Raced())
    url = str(view.store.url)
    assert view.refresh().computed == ()
    assert len(view.history()) == 2
    assert view.status().is_current


def test_a_view_without_a_computation_tells_what_waits(base):
    view = zc.create_view(
        f"{base.store.url}-view", base=base, variables=[VariableSchema("x", dtype="f4", dimensions=("row",))]
    )
    view.update(lambda ds: {"x": np.zeros(len(ds["time"]), "f4")}, filters="quotient != 4")
    base.drop_partitions(filters="quotient == 0")
    base.insert(samples.rows([13]))
    assert view.refresh() == zc.RefreshReport(computed=(), dropped=(PATHS[0],), waiting=(PATHS[1], PATHS[3]))
    made = make(samples.create(f"{base.store.url}-2", TIMES), SUM)
    with pytest.raises(zc.SchemaError, match=r"are computed by sum; accepted: refresh\(\)"):
        made.update(lambda ds: {"sum": ds["value"].to_numpy()})


class _Wrong(Computation):
    inputs = ("value",)

    def outputs(self, schema):
        return {"a": VariableSchema("a", dtype="float32", dimensions=("row",))}


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ({}, "Wrong did not return 'a', which it declares; accepted: nothing"),
        ({"a": np.zeros(1, "f4"), "b": 1}, "variable 'b' is unknown"),
        ({"a": np.zeros(9, "f4")}, "Wrong returned 9 rows of 'a' for [12] rows"),
        ({"a": np.full(2, 0.1)}, "declared float32 and received float64, which is not exact"),
        ([1], "Wrong returned a list; accepted: a mapping"),
    ],
)
def test_a_computation_that_does_not_keep_its_word_is_named(base, register, returned, message):
    @frozen
    class Wrong(_Wrong):
        def compute(self, rows):
            return returned

    register(Wrong)
    with pytest.raises(zc.SchemaError, match=message):
        make(base, Wrong()).refresh()


def test_a_computation_is_given_its_inputs_and_nothing_else(base, register):
    seen = []

    @frozen
    class Looking(computations.Sum):
        def compute(self, rows):
            seen.append((tuple(rows.all_variables()), rows.sizes["row"]))
            return super().compute(rows)

    register(Looking)
    make(base, Looking(reach=1)).refresh()
    assert sorted(seen) == [(("value",), 2), (("value",), 3), (("value",), 3), (("value",), 4)]


def test_the_base_is_never_written_to(base, monkeypatch):
    """Every write of its store fails, as on a read-only mount."""
    view = make(base, SUM)
    before = dict(base.store.data)
    read_only = zc.open_view(str(view.store.url), mode="rw")
    assert read_only.base.store.read_only
    for name in ("put", "create", "copy", "delete", "publish", "unpublish", "lock", "stage"):
        original = getattr(type(base.store), name)

        def guarded(self, *args, _original=original, **options):
            assert self.url != base.store.url, "the base was written to"
            return _original(self, *args, **options)

        monkeypatch.setattr(type(base.store), name, guarded)
    read_only.refresh()
    read_only.query(stale="compute")
    assert base.store.data == before
    np.testing.assert_array_equal(values(read_only), expected(TIMES))
