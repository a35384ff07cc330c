"""zcollection without what makes questions fast: what that costs, and what it is good for."""

from contextlib import ExitStack
from unittest.mock import patch

from peers.ours import Ours
from zcollection.engine import write
from zcollection.engine.statistics import StatisticsBuilder


class Mask(Ours):
    """All rows of the variables are queried, and NumPy chooses."""

    about = "zcollection, everything queried and masked with NumPy"

    def ask(self, place, layout, question):
        found = self._found(place, variables=question.variables)
        mask = question.mask(found)
        return {path: values[mask] for path, values in found.items()}

    def count(self, place, layout, question):
        names = dict.fromkeys(comparison.name for comparison in question.comparisons)
        return int(question.mask(self._found(place, variables=names)).sum())


class NoStatistics(Ours):
    """Partitions whose statistics were neither gathered nor written."""

    about = "zcollection, partitions without statistics"

    def add(self, place, layout, arrays):
        with ExitStack() as stack:
            stack.enter_context(patch.object(write, "_statistics", lambda *_: {}))
            for name in ("chunk", "values"):
                stack.enter_context(patch.object(StatisticsBuilder, name, lambda *_, **__: None))
            super().add(place, layout, arrays)
