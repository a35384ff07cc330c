"""Where the groups of one version lie: in their own place or, before they are published, elsewhere in whole or in part."""

from typing import Self

from attrs import Factory, field, frozen


@frozen
class Place:
    """Where one group lies.

    Attributes
    ----------
    prefix
        What the keys of its objects begin with; ends with "/".
    document
        Key of its document, which lies elsewhere before what was written in its own place is published.
    """

    prefix: str
    document: str = field(default=Factory(lambda self: f"{self.prefix}zarr.json", takes_self=True))

    @classmethod
    def of(cls, path: str) -> Self:
        """Return the place where a group lies once it is published."""
        return cls(f"{path}/")

    def below(self, prefix: str) -> "Place":
        """Return the same among keys that begin with a prefix."""
        return Place(prefix + self.prefix, prefix + self.document)
