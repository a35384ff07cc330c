"""Between arrays and bytes: what a variable looks like in Zarr, its chunks encoded and decoded, groups written and read."""
