"""The demo: typical operations on real data, three days of a satellite's track, verified row by row.

The data come from the package swot-simulator: the ephemeris of the SWOT mission's science orbit, and CNES' daily sea
level maps (DUACS). Only its files are read; the package itself is never imported.
"""
