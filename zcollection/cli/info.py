"""``zcollection info``: the properties and the size of a collection."""

from typing import Any

from attrs import asdict

from zcollection import portal
from zcollection.cli.describe import axis_limits, limits_in_words, partitioning
from zcollection.cli.opening import URL, AsJson, At, Base, BaseOptions, StorageOptions, open_source
from zcollection.cli.output import write_json, write_lines
from zcollection.collection.collection import Collection
from zcollection.model.formatting import format_bytes
from zcollection.view.view import View


def info(
    url: URL,
    *,
    at: At = None,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Show the axis, the partitioning and the size of a collection; for a view also its base and its status."""
    source = open_source(url, storage_option, base, base_option, at=at)
    facts = facts_of(source) if isinstance(source, Collection) else facts_of_view(source)
    if as_json:
        write_json(facts)
    else:
        shown = _in_words(facts)
        width = max(map(len, shown))
        write_lines([f"{name:<{width}}  {value}".rstrip() for name, value in shown.items()])


def facts_of(collection: Collection) -> dict[str, Any]:
    """Return the properties and the size of a collection, as JSON."""
    form, records = partitioning(collection), collection.records()
    return {
        "url": str(collection.store.url),
        "axis": collection.axis,
        "dimension": collection.dimension,
        "partitioning": {"name": form.name, "configuration": form.configuration, "provided_by": form.provided_by},
        "catalog": collection.catalog_enabled,
        "variables": len(collection.schema.all_variables()),
        "partitions": len(records),
        "rows": sum(record.rows for record in records.values()),
        "stored_bytes": sum(record.stored_bytes for record in records.values()),
        "axis_range": axis_limits(collection, records.values()),
    }


def facts_of_view(view: View) -> dict[str, Any]:
    """Return the properties of a view, as JSON: the size of its own variables, and the rows of its base."""
    snapshot, status = portal.run(view._run, lambda opened: opened.snapshot()), view.status()  # noqa: SLF001 - its own package
    return {
        **facts_of(view.base),
        "url": str(view.store.url),
        "base": str(view.base.store.url),
        "computed_by": [form.name for form in view.computations],
        "variables": len(view.variables),
        "stored_bytes": sum(record.stored_bytes for record in snapshot.partitions.values()),
        "status": {kind: len(paths) for kind, paths in asdict(status).items()},
    }


def _in_words(facts: dict[str, Any]) -> dict[str, str]:
    form, size = facts["partitioning"], facts["stored_bytes"]
    settings = ", ".join(f"{name}={value!r}" for name, value in form["configuration"].items())
    of_view = (
        {
            "base": facts["base"],
            "computed by": ", ".join(facts["computed_by"]) or "update()",
            "status": ", ".join(f"{count:,} {kind}" for kind, count in facts["status"].items()),
        }
        if "base" in facts
        else {}
    )
    return {
        "url": facts["url"],
        **of_view,
        "axis": facts["axis"],
        "dimension": facts["dimension"],
        "partitioning": f"{form['name']}({settings})",
        "catalog": "on" if facts["catalog"] else "off",
        "variables": str(facts["variables"]),
        "partitions": f"{facts['partitions']:,}",
        "rows": f"{facts['rows']:,}",
        "stored": f"{format_bytes(size)} ({size:,} bytes)",
        "range": limits_in_words(facts["axis_range"]) or "unknown",
    }
