"""Plots of coverage against pandas and cftime: images, bars and ticks are read back."""

import cftime
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from zcollection_plot import availability, calendar, matrix, timeline
from zcollection_plot.axes import MISSING, PRESENT

from zcollection.plugin import SettingError

START = np.datetime64("2023-12-05T07:00", "s")


def bars(collection):
    """Return the bars of a plot: the limits of each, horizontally and vertically."""
    boxes = [path.get_extents() for path in collection.get_paths()]
    return [(box.x0, box.x1, box.y0, box.y1) for box in boxes]


def colour(collection):
    return tuple(collection.get_facecolor()[0])


def dense(image):
    return np.ma.filled(image.get_array().astype(float), np.nan)


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(0, 24 * 70), min_size=2), st.sampled_from(["date:M", "date:D"]))
def test_a_calendar_shows_the_share_of_each_day(series, numbers, partitioning):
    times = START + np.sort(np.array([*numbers])) * np.timedelta64(1, "h")
    found = series(times, partitioning=partitioning).coverage(every="1 h")
    axes = calendar(found, ax=Figure().subplots())

    index = pd.DatetimeIndex(times)
    expected = pd.Series(1, pd.date_range(index[0], index[-1], freq="h")).resample("D").count()
    there = pd.Series(1, index).resample("D").count().reindex(expected.index, fill_value=0)
    months = (expected.index.year * 12 + expected.index.month).to_numpy()
    shares = np.full((months[-1] - months[0] + 1, expected.index.day.max()), np.nan)
    absent = np.zeros(shares.shape)
    shares[months - months[0], expected.index.day - 1] = (there / expected).where(there > 0)
    absent[months - months[0], expected.index.day - 1] = there == 0
    np.testing.assert_allclose(dense(axes.images[0]), shares)
    assert axes.images[0].get_clim() == (0, 1)
    if absent.any():
        np.testing.assert_array_equal(dense(axes.images[1]) == 1, absent == 1)
        assert axes.images[1].to_rgba(np.ma.array([1.0]))[0].tolist() == list(to_rgba(MISSING))
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["no row"]
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == [
        day.strftime("%Y %b" if number == 0 or day.month == 1 else "%b")
        for number, day in enumerate(pd.period_range(index[0], index[-1], freq="M"))
    ]
    # Cells of the image are at the ticks of their day and month.
    assert axes.images[0].get_extent() == [0.5, shares.shape[1] + 0.5, len(shares) - 0.5, -0.5]


def test_a_calendar_of_a_calendar_of_360_days_has_a_30th_of_february(series, ax):
    days = np.delete(np.arange(20, 100, 0.25), np.s_[160:200])
    collection = series(days, dtype="float64", attrs={"units": "days since 2001-01-01", "calendar": "360_day"})
    calendar(collection.coverage(), ax=ax)
    shares = dense(ax.images[0])
    counts = pd.Series(cftime.num2date(np.floor(days), "days since 2001-01-01", "360_day")).value_counts()
    wanted = np.full((4, 30), np.nan)
    for date, count in counts.items():
        wanted[date.month - 1, date.day - 1] = count / 4
    np.testing.assert_allclose(shares, wanted)
    assert shares[1, 29] == 1  # 30 February
    assert [text.get_text() for text in ax.get_yticklabels()] == ["2001 Jan", "Feb", "Mar", "Apr"]


def test_a_long_calendar_names_years(series, ax):
    times = np.arange("2001-03-01", "2009-05-01", dtype="datetime64[D]").astype("datetime64[s]")
    calendar(series(times, partitioning="date:Y").coverage(), ax=ax)
    assert [text.get_text() for text in ax.get_yticklabels()] == [f"{year}" for year in range(2002, 2010)]
    assert ax.get_yticks().tolist() == [10 + 12 * number for number in range(8)]


@pytest.mark.parametrize(
    ("times", "attrs", "message"),
    [
        (np.arange(5), {}, "accepted: an axis of times"),
        (np.arange(5) * 2, {"units": "days since 2000-01-01"}, "is longer than a day"),
    ],
)
def test_a_calendar_is_of_times_and_of_days(series, ax, times, attrs, message):
    collection = series(times, dtype="int64", attrs=attrs, partitioning="values:station", station=np.zeros(5, int))
    with pytest.raises(SettingError, match=message):
        collection.coverage().plot("calendar", ax=ax)


def test_a_timeline_by_year_has_what_lies_in_each(series, ax):
    kept = [("2021-03-01", "2021-04-01"), ("2021-12-30", "2022-01-02"), ("2024-02-01", "2024-02-03")]
    times = np.concatenate([np.arange(*item, dtype="datetime64[h]") for item in kept]).astype("datetime64[s]")
    timeline(series(times).coverage(), ax=ax)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["2021", "2022", "2023", "2024"]

    def of_year(number, kind):
        found = [item for each in ax.collections if colour(each) == to_rgba(kind) for item in bars(each)]
        return [(round(x0, 6), round(x1, 6)) for x0, x1, y0, y1 in found if y0 < number < y1]

    hour = 1 / 24
    april = 31 + 28 + 31
    assert of_year(0, PRESENT) == [(59, round(april - hour, 6)), (363, 365)]
    assert of_year(0, MISSING) == [(round(april - hour, 6), 363)]
    assert of_year(1, PRESENT)[0] == (0, round(23 * hour, 6))
    assert of_year(1, MISSING) == [(round(23 * hour, 6), 365)]
    assert of_year(2, MISSING) == [(0, 365)]
    assert of_year(3, MISSING) == [(0, 31)]
    assert of_year(3, PRESENT)[-1] == (31, round(32 + 23 * hour, 6))


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(0, 24 * 9), min_size=1), st.sampled_from(["all", "partition", "month"]))
def test_bars_of_a_timeline_are_the_intervals_of_its_lines(series, numbers, by):
    times = np.datetime64("2024-02-26", "s") + np.sort(np.array([*numbers])) * np.timedelta64(1, "h")
    found = series(times, partitioning="date:D").coverage(every="1 h")
    axes = timeline(found, by=by, ax=Figure().subplots())
    index = pd.Series(pd.DatetimeIndex(times))
    days, months = index.dt.strftime("year=%Y/month=%m/day=%d"), index.dt.month.astype(str)
    group = {"all": index.astype(str).map(lambda _: ""), "partition": days, "month": months}[by]
    wanted_bars, wanted_gaps = [], []
    for line, (label, part) in enumerate(index.groupby(group, sort=False)):
        assert axes.get_yticklabels()[line].get_text() == label
        number = (part.diff() > pd.Timedelta("1.5h")).cumsum()
        edges = part.groupby(number).agg(["min", "max"])
        numeric = (edges - pd.Timestamp(0)) / pd.Timedelta("1D")
        wanted_bars += [(line, *row) for row in numeric.to_numpy().tolist()]
        wanted_gaps += [
            (line, stop, start) for stop, start in zip(numeric["max"][:-1], numeric["min"][1:], strict=True)
        ]
    for kind, wanted in ((PRESENT, wanted_bars), (MISSING, wanted_gaps)):
        drawn = [item for each in axes.collections if colour(each) == to_rgba(kind) for item in bars(each)]
        np.testing.assert_allclose(
            np.array([((y0 + y1) / 2, x0, x1) for x0, x1, y0, y1 in drawn]).reshape(-1, 3),
            np.array(wanted).reshape(-1, 3),
            atol=1e-6,
        )


def test_intervals_of_partitions_that_overlap_are_not_mixed(series, ax):
    """Two buoys at the same time: each has gaps where the other has rows."""
    times = np.tile(np.datetime64("2024-01-01", "s") + np.arange(48) * np.timedelta64(1, "h"), 2)
    station = np.repeat([1, 2], 48)
    keep = (station == 1) != (np.tile(np.arange(48), 2) // 12 == 2)
    collection = series(times[keep], partitioning="values:station", station=station[keep])
    found = collection.coverage()
    assert len(found.gaps) == 0
    timeline(found, ax=ax)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["station=1", "station=2"]
    there = [item for each in ax.collections if colour(each) == to_rgba(PRESENT) for item in bars(each)]
    day = 19723  # 2024-01-01
    lines = [(round((y0 + y1) / 2), round((x0 - day) * 24), round((x1 - day) * 24)) for x0, x1, y0, y1 in there]
    assert lines == [(0, 0, 23), (0, 36, 47), (1, 24, 35)]


def test_a_timeline_of_numbers_has_them_on_its_axis(series, ax):
    found = series(np.array([0, 1, 2, 9, 10]), dtype="int64", partitioning="values:station", station=[1] * 5).coverage()
    timeline(found, by="all", ax=ax)
    assert [item[:2] for item in bars(ax.collections[0])] == [(0, 2), (9, 10)]
    assert [item[:2] for item in bars(ax.collections[1])] == [(2, 9)]
    with pytest.raises(SettingError, match=r"by='year'; accepted: .*'all'.*'station'"):
        timeline(found, by="year", ax=ax)


def test_many_short_gaps_do_not_cover_what_is_there(series):
    hours = np.arange(24 * 300)
    axes = timeline(series(START + hours[hours % 10 > 0] * np.timedelta64(1, "h")).coverage(), by="all", ax=Figure())
    few = timeline(series(START + hours[hours % 3000 > 0] * np.timedelta64(1, "h")).coverage(), by="all", ax=Figure())
    assert few.collections[1].get_linewidth()[0] == 0.6
    assert axes.collections[1].get_linewidth()[0] * 720 < 30  # points; the axes are 500 wide


def passes():
    """Return cycles and passes of rows: one pass is missing, and the last cycle is incomplete."""
    keys = [(cycle, each) for cycle in (3, 4, 5, 7) for each in (1, 2, 3, 4) if (cycle, each) != (4, 2)]
    keys = keys[:-2]
    counts = np.arange(len(keys)) % 3 + 1
    return np.repeat(np.array(keys), counts, axis=0), keys, counts


def test_a_matrix_has_the_rows_of_each_pass_and_what_is_missing(series, ax):
    numbers, keys, counts = passes()
    collection = series(
        np.arange(len(numbers)),
        dtype="int64",
        partitioning="sequence:cycle,pass",
        cycle=numbers[:, 0],
        **{"pass": numbers[:, 1]},
    )
    availability(collection.coverage(), ax=ax)
    frame = (
        pd.DataFrame(keys, columns=["cycle", "pass"])
        .assign(rows=counts)
        .pivot(index="cycle", columns="pass", values="rows")
    )
    wanted = frame.reindex(range(3, 8))
    np.testing.assert_array_equal(dense(ax.images[0]), wanted.to_numpy())
    missing = np.zeros((5, 4), bool)
    missing[1, 1] = True  # cycle 4, pass 2
    missing[3] = True  # cycle 6
    np.testing.assert_array_equal(dense(ax.images[1]) == 1, missing)  # passes 3 and 4 of cycle 7 are not expected yet
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("cycle", "pass")
    assert ax.yaxis.get_major_formatter()(2, None) == "5"
    assert ax.xaxis.get_major_formatter()(0, None) == "1"
    assert ax.xaxis.get_major_formatter()(0.5, None) == ax.xaxis.get_major_formatter()(9, None) == ""


def test_a_matrix_of_shares_is_that_of_the_partitions(series, ax):
    numbers, keys, _ = passes()
    times = np.arange(len(numbers)) * 2 + np.arange(len(numbers)) // 5
    collection = series(
        times, dtype="int64", partitioning="sequence:cycle,pass", cycle=numbers[:, 0], **{"pass": numbers[:, 1]}
    )
    found = collection.coverage()
    found.plot("matrix", values="share", ax=ax)
    shares = {(part.key["cycle"], part.key["pass"]): part.share for part in found.partitions}
    drawn = dense(ax.images[0])
    assert {key: drawn[key[0] - 3, key[1] - 1] for key in keys} == pytest.approx(shares)
    with pytest.raises(SettingError, match="values='bytes'; accepted: 'rows', 'share'"):
        matrix(found, values="bytes", ax=ax)


@pytest.mark.parametrize(
    ("partitioning", "columns", "days", "kind"),
    [
        ("date:D", {}, 60, "calendar"),
        ("date:M", {}, 10, "timeline"),
        ("values:station", {"station": 1}, 60, "calendar"),
        ("sequence:cycle,pass", {"cycle": 1, "pass": 2}, 60, "matrix"),
    ],
)
def test_the_picture_suits_the_partitioning(series, ax, partitioning, columns, days, kind):
    times = START + np.arange(days * 24) * np.timedelta64(1, "h")
    columns = {name: np.full(times.size, value) for name, value in columns.items()}
    assert series(times, partitioning=partitioning, **columns).coverage().plot(ax=ax) is ax
    drawn = "timeline" if ax.collections else "matrix" if ax.get_xlabel() == "pass" else "calendar"
    assert drawn == kind


def test_a_kind_that_does_not_suit_is_rejected(series, ax):
    found = series(START + np.arange(48) * np.timedelta64(1, "h"), partitioning="date:M").coverage()
    with pytest.raises(
        SettingError, match=r"kind='pie'; accepted: 'calendar', 'matrix', 'timeline'|kind='pie'; accepted"
    ):
        found.plot("pie", ax=ax)
    found.plot("matrix", ax=ax)  # year by month
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("year", "month")
    days = series(START + np.arange(48) * np.timedelta64(1, "h"), partitioning="date:D").coverage()
    with pytest.raises(SettingError, match="kind='matrix' for partitions with the keys .*'day': 5"):
        days.plot("matrix", ax=ax)


@pytest.mark.parametrize("kind", ["calendar", "timeline"])
def test_a_collection_without_rows_is_drawn_as_such(series, ax, kind):
    collection = series(START + np.arange(3) * np.timedelta64(1, "h"))
    found = collection.coverage(filters="year == 1999")
    assert found.plot(kind, ax=ax) is ax
    assert not ax.images
    assert sum(len(each.get_paths()) for each in ax.collections) == 0
    ax.get_figure().savefig("/dev/null", format="png")


def test_nothing_global_changes(series):
    before, figures = dict(mpl.rcParams), plt.get_fignums()
    found = series(START + np.delete(np.arange(2000), [5, 700]) * np.timedelta64(1, "h")).coverage()
    for kind in ("calendar", "timeline", "matrix"):
        figure = Figure(layout="constrained")
        axes = found.plot(kind, ax=figure)
        assert figure.axes[0] is axes
        figure.savefig("/dev/null", format="svg")
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == figures


def test_without_axes_pyplot_has_a_figure_of_them(series):
    assert mpl.get_backend().lower() == "agg"
    axes = series(START + np.arange(900) * np.timedelta64(1, "h")).coverage().plot()
    assert plt.gcf() is axes.get_figure()
    plt.close(axes.get_figure())


def test_a_changed_epoch_of_matplotlib_moves_numbers_not_dates(series, ax, monkeypatch):
    import matplotlib.dates as mdates

    monkeypatch.setattr(mdates, "_epoch", "2000-01-01T00:00:00")
    timeline(series(START + np.arange(5) * np.timedelta64(1, "h")).coverage(), ax=ax, by="all")
    first = bars(ax.collections[0])[0][0]
    assert mdates.num2date(first).replace(tzinfo=None) == START.astype(object)
