"""Base class of objects that print as sections: as text by `repr`, as HTML in notebooks."""

from collections.abc import Sequence

import attrs

from zcollection.model.formatting import shortened
from zcollection.model.sections import Part, Section, Table, as_text, heading


class Printed:
    """Mixin that prints an object as a section: as text by `repr`, as HTML in notebooks. Printing computes and reads nothing.

    Subclasses made with attrs use ``repr=False``. By default, the section shows the fields: tuples as tables, all other
    fields in the first line.
    """

    __slots__ = ()

    def _section(self) -> Section:
        """Return the section to print."""
        values = attrs.asdict(self, recurse=False)  # type: ignore[arg-type]  # other classes override this method
        tables = {
            name: Table.listing(name.capitalize(), value) for name, value in values.items() if type(value) is tuple
        }
        shown = {name: shortened(len(value) if name in tables else value) for name, value in values.items()}
        title = heading(self, ", ".join(f"{name}: {text}" for name, text in shown.items() if text))
        return Section(title, list(tables.values()))

    def _details(self) -> Sequence[Part]:
        """Return further parts, which only HTML shows, below the section."""
        return ()

    def __repr__(self) -> str:
        return as_text(self._section())

    def _repr_html_(self) -> str:
        from zcollection.model.sections_html import as_html  # for notebooks only

        section = self._section()
        return as_html(Section(section.title, [*section.parts, *self._details()]))
