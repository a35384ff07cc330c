"""The place of a group: its published path or, before it is published, a staging prefix for all or part of it."""

from typing import Self

from attrs import Factory, field, frozen


@frozen
class Place:
    """The keys under which one group is stored.

    Attributes
    ----------
    prefix
        Prefix of the keys of its objects; ends with "/".
    document
        Key of its group document; under a staging prefix if the other objects were written in place and are
        unpublished.
    """

    prefix: str
    document: str = field(default=Factory(lambda self: f"{self.prefix}zarr.json", takes_self=True))

    @classmethod
    def of(cls, path: str) -> Self:
        """Return the place of a published group."""
        return cls(f"{path}/")

    def below(self, prefix: str) -> "Place":
        """Return the place with a prefix added in front of its keys."""
        return Place(prefix + self.prefix, prefix + self.document)
