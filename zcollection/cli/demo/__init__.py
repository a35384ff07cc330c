"""The demo: the main job on real data, three days of a satellite's track, checked row by row.

The data are those of the package swot-simulator: the ephemeris of the SWOT mission's science orbit, and CNES' daily
maps of the sea level (DUACS). Only its files are read; the package itself is never imported.
"""
