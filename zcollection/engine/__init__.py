"""Between arrays and bytes: layouts of Zarr arrays, encoding and decoding of chunks, reading and writing of groups."""
