"""What prints itself: as text by `repr`, as HTML in a notebook."""

from collections.abc import Sequence

import attrs

from zcollection.model.sections import Part, Section, Table, as_text, heading
from zcollection.model.texts import shortened


class Printed:
    """What is printed as its section says: with `repr` as text, in a notebook as HTML. Nothing is computed or read for it.

    A class of attrs is made with ``repr=False``. By default its fields are the section: tuples as tables, the others in
    the first line.
    """

    __slots__ = ()

    def _section(self) -> Section:
        """Return what people read of it."""
        values = attrs.asdict(self, recurse=False)  # type: ignore[arg-type]  # what is no class of attrs says its own
        tables = {
            name: Table.listing(name.capitalize(), value) for name, value in values.items() if type(value) is tuple
        }
        said = {name: shortened(len(value) if name in tables else value) for name, value in values.items()}
        title = heading(self, ", ".join(f"{name}: {text}" for name, text in said.items() if text))
        return Section(title, list(tables.values()))

    def _details(self) -> Sequence[Part]:
        """Return what only HTML shows, below that."""
        return ()

    def __repr__(self) -> str:
        return as_text(self._section())

    def _repr_html_(self) -> str:
        from zcollection.model.sections_html import as_html  # for notebooks only

        section = self._section()
        return as_html(Section(section.title, [*section.parts, *self._details()]))
