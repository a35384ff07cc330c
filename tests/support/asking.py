"""Conditions asked of columns, and the zones that NumPy finds in them."""

import pickle

import numpy as np

from zcollection.conditions.expression import as_condition
from zcollection.conditions.zones import ALWAYS, NEVER, Zones
from zcollection.model.schema import DatasetSchema, Dimension, GroupSchema, VariableSchema

FIELDS = ("year", "platform", "ascending")
KEY = {"year": 2024, "platform": "S3A", "ascending": True}


def variable(name, dtype, **more):
    return VariableSchema(name, dtype=dtype, dimensions=("time",), **more)


def schema(*variables, more=(), groups=()):
    """A schema of variables along time, and of others."""
    return DatasetSchema(
        dimensions={"time": Dimension("time"), "x": Dimension("x", size=2)},
        variables={one.name: one for one in (*variables, *more)},
        groups={group.name: group for group in groups},
    )


def group(name, *variables):
    return GroupSchema(name=name, variables={one.name: one for one in variables})


def asked(where, declared, columns, rows=None):
    """Return the rows that pass, by number, once the condition has been to another process and back."""
    bound = as_condition(pickle.loads(pickle.dumps(where))).bound(declared, "time", FIELDS)
    bound = pickle.loads(pickle.dumps(bound))
    count = len(next(iter(columns.values()))) if rows is None else rows
    given = {path: columns[path] for path in bound.variables} | {name: KEY[name] for name in bound.fields}
    mask = bound.mask(given, count)
    assert mask.dtype == np.bool_
    assert mask.shape == (count,)
    return np.flatnonzero(mask).tolist()


def one(text, values, dtype=None, **more):
    """Return the rows that pass a condition on one variable, x."""
    column = np.asarray(values, dtype=dtype)
    return asked(text, schema(variable("x", column.dtype, **more)), {"x": column})


def is_missing(values, declared):
    kind, fill = values.dtype.kind, declared.fill_value
    missing = np.isnan(values) if kind == "f" else np.isnat(values) if kind in "mM" else np.zeros(values.shape, bool)
    return missing if fill is None or fill != fill else missing | (values == fill)


def zones_of(values, declared, size, widen=None):
    """Return the zones of a column as NumPy finds them; `widen` makes bounds worse, and may unknow them."""
    starts = range(0, len(values), size)
    lower, upper = np.zeros(len(starts), values.dtype), np.zeros(len(starts), values.dtype)
    missing, empty, known = (np.zeros(len(starts), bool) for _ in range(3))
    for at, start in enumerate(starts):
        part = values[start : start + size]
        hidden = is_missing(part, declared)
        missing[at], empty[at] = hidden.any(), hidden.all()
        known[at] = not hidden.all()
        if known[at] and values.dtype.kind not in "TUS":
            lower[at], upper[at] = part[~hidden].min(), part[~hidden].max()
            if widen is not None:
                lower[at], upper[at], known[at] = widen(lower[at], upper[at])
    if values.dtype.kind in "TUS":
        lower, upper, known = lower[:0], upper[:0], np.zeros_like(known)
    return Zones(lower, upper, missing=missing, empty=empty, known=known)


def field_zones(count):
    """Return the zones of fields of the key, which are the same everywhere."""
    flags = {"missing": np.zeros(count, bool), "empty": np.zeros(count, bool), "known": np.ones(count, bool)}
    numbers = {"year": np.full(count, 2024), "ascending": np.ones(count, bool)}
    return {name: Zones(values, values, **flags) for name, values in numbers.items()}


def assert_no_contradiction(verdicts, mask, size):
    for at, verdict in enumerate(verdicts):
        rows = mask[at * size : (at + 1) * size]
        assert not (verdict == NEVER and rows.any()), f"zone {at} never passes, and has {rows.sum()} rows that do"
        assert not (verdict == ALWAYS and not rows.all()), f"zone {at} always passes, and has rows that do not"
