"""``zcollection plugins``: the installed plugins, their distributions, and their status."""

import attrs

from zcollection.cli import verbs
from zcollection.cli.opening import AsJson
from zcollection.cli.output import write_json, write_table
from zcollection.registry.registry import REGISTRY, Row


def plugins(*, as_json: AsJson = False) -> None:
    """List the plugins: every name, the distribution that provides it, and whether it works."""
    rows = [*REGISTRY.table(), *verbs.rows()]
    if as_json:
        write_json([attrs.asdict(row) for row in rows])
    else:
        header = [attribute.name for attribute in attrs.fields(Row)]
        # The message of a failure may have several lines.
        write_table(header, [[" ".join(text.split()) for text in attrs.astuple(row)] for row in rows])
