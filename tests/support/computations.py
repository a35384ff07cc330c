"""Tiny computations for the kernel's own tests."""

import numpy as np
from attrs import field, frozen

from zcollection.plugin import Computation, Provides, VariableSchema, hookimpl


@hookimpl
def zcollection_computations():
    yield Provides("twice", target=f"{__name__}:Twice")
    yield Provides("sum", target=f"{__name__}:Sum")


@frozen
class Twice(Computation):
    """Twice a variable of the root."""

    variable: str = "value"
    name: str = field(default="twice", kw_only=True)
    factor: float = field(default=2.0, kw_only=True)

    @property
    def inputs(self):
        return (self.variable,)

    def outputs(self, schema):
        declared = schema.get_variable(self.variable)
        return {self.name: VariableSchema(self.name, dtype="float64", dimensions=declared.dimensions)}

    def compute(self, rows):
        return {self.name: rows.get_variable(f"/{self.variable}").to_numpy() * self.factor}


@frozen
class Sum(Computation):
    """The sum of a variable over so many rows, or seconds, on each side."""

    variable: str = "value"
    name: str = field(default="sum", kw_only=True)
    reach: int = field(default=1, kw_only=True)

    @property
    def inputs(self):
        return (self.variable,)

    @property
    def halo(self):
        return self.reach

    def outputs(self, schema):
        declared = schema.get_variable(self.variable)
        return {self.name: VariableSchema(self.name, dtype="float64", dimensions=declared.dimensions)}

    def compute(self, rows):
        return {self.name: sums(rows.get_variable(f"/{self.variable}").to_numpy(), self.reach)}


def sums(values, reach):
    """Return the sum of each value and of those at most so many places away."""
    return np.array([values[max(at - reach, 0) : at + reach + 1].sum() for at in range(len(values))], dtype="float64")
