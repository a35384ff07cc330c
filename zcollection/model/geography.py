"""Detection of latitudes and longitudes by their CF attributes.

Source: CF conventions 1.11, 4.1 and 4.2.
"""

from typing import Final

from zcollection.model.declared import VariableSchema

_NORTH: Final = {"degrees_north", "degree_north", "degree_N", "degrees_N", "degreeN", "degreesN"}
_EAST: Final = {"degrees_east", "degree_east", "degree_E", "degrees_E", "degreeE", "degreesE"}


def is_latitude(variable: VariableSchema) -> bool:
    """Return whether the units or the standard name of a variable mark it as a latitude."""
    return variable.attrs.get("units") in _NORTH or variable.attrs.get("standard_name") == "latitude"


def is_longitude(variable: VariableSchema) -> bool:
    """Return whether the units or the standard name of a variable mark it as a longitude."""
    return variable.attrs.get("units") in _EAST or variable.attrs.get("standard_name") == "longitude"
