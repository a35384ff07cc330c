"""Encodes and decodes chunks without zarr-python: contiguous bytes through the common compressors.

Sources: Zarr v3 specifications of the codecs ``bytes``, ``zstd``, ``blosc``, ``gzip`` and ``crc32c``.
"""

import math
import struct
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Protocol

import google_crc32c
import numpy as np
from attrs import frozen
from numcodecs import blosc
from numcodecs.gzip import GZip
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

from zcollection.contracts.objects import Pieces
from zcollection.engine.layout import ArrayLayout, stored_values
from zcollection.model.codecs import Codec

_BLOSC_HEADER = 16
_SMALL = 2**16
"""Bytes up to which it is faster to copy a chunk and its checksum into one buffer."""
_RESIDUE = 0x48674BC7
"""CRC32C of any bytes followed by their own little-endian CRC32C; the same for all bytes."""
_SHUFFLES = {"noshuffle": blosc.NOSHUFFLE, "shuffle": blosc.SHUFFLE, "bitshuffle": blosc.BITSHUFFLE}


class Compressor(Protocol):
    """A codec from bytes to bytes."""

    def encode(self, data: Any, /) -> bytes: ...  # noqa: D102 - any buffer
    def decode(self, data: bytes, /) -> Any: ...  # noqa: D102 - any buffer


@frozen
class _Checksum:
    """The codec ``crc32c``: it appends the CRC32C of the bytes, as four little-endian bytes."""

    def encode(self, data: Any) -> bytes:
        content = data if isinstance(data, bytes) else bytes(memoryview(data).cast("B"))
        return content + self.suffix(content)

    def suffix(self, content: bytes) -> bytes:
        """Return the bytes that `encode` appends."""
        return struct.pack("<I", google_crc32c.value(content))

    def decode(self, data: bytes | memoryview) -> memoryview:
        sealed = data if isinstance(data, bytes) else bytes(data)
        if len(sealed) < 4 or google_crc32c.value(sealed) != _RESIDUE:
            message = "the CRC32C checksum does not match"
            raise ValueError(message)
        return memoryview(sealed)[:-4]  # no copy


@frozen
class _Blosc:
    """The codec ``blosc``, without the checks of the numcodecs class, which take as long as a small chunk.

    They are not needed: the input is always contiguous.
    """

    name: bytes
    level: int
    shuffle: int
    block: int

    @classmethod
    def of(cls, settings: dict[str, Any]) -> "_Blosc":
        shuffle = _SHUFFLES[settings["shuffle"]]
        return cls(settings["cname"].encode(), settings["clevel"], shuffle, settings.get("blocksize", 0))

    def encode(self, data: Any) -> bytes:
        frame: bytes = blosc.compress(data, self.name, self.level, self.shuffle, self.block)
        return frame

    def decode(self, data: bytes, out: NDArray[Any] | None = None) -> Any:
        return blosc.decompress(data, out)


_COMPRESSORS: dict[str, Callable[[dict[str, Any]], Compressor]] = {
    "blosc": _Blosc.of,
    "crc32c": lambda _: _Checksum(),
    "gzip": lambda settings: GZip(settings.get("level", 5)),
    "zstd": lambda settings: Zstd(settings.get("level", 0), settings.get("checksum", False)),
}


@lru_cache(maxsize=8192)
def supports(layout: ArrayLayout) -> bool:
    """Return whether this module can read and write the array: little-endian bytes, then known compressors."""
    if not layout.codecs or layout.variable.dtype.kind == "T":
        return False
    serializer, *compressors = layout.codecs
    little = serializer.get("configuration", {}).get("endian", "little") == "little"
    return serializer["name"] == "bytes" and little and all(_is_known(codec) for codec in compressors)


def _is_known(codec: Codec) -> bool:
    if codec["name"] not in _COMPRESSORS:
        return False
    settings = codec.get("configuration", {})
    return codec["name"] != "blosc" or {"cname", "clevel", "shuffle"} <= set(settings)


def encode(
    layout: ArrayLayout, values: NDArray[Any], *, is_stored: bool = False
) -> Iterator[tuple[str, bytes | Pieces]]:
    """Yield the key and the bytes of every chunk of an array, encoded lazily; chunks of fill values are included.

    Parameters
    ----------
    layout
        The array.
    values
        Values of the declared or the stored type, in the shape of the layout.
    is_stored
        Whether the values are of the stored type.
    """
    compressors = _compressors(layout)
    for key, part in layout.chunk_parts:
        chunk = values[part] if is_stored else stored_values(values[part], layout.variable, start=_first_row(part))
        yield key, _compress(_padded_chunk(layout, chunk), compressors)


def _first_row(part: tuple[Any, ...]) -> int:
    """Return the first index of a part along its first dimension, which is nearly always the partitioned one."""
    return part[0].start if len(part) > 1 else 0


def decode_chunk(layout: ArrayLayout, data: bytes, out: NDArray[Any]) -> None:
    """Decode one chunk into an output array.

    Parameters
    ----------
    layout
        The array.
    data
        Bytes of the chunk.
    out
        The output, in the shape of the part of the array that the chunk covers.

    Raises
    ------
    ValueError
        The bytes are not a valid chunk of this array.
    """
    content: Any = data
    first, *later = _compressors(layout) or (None,)
    for compressor in reversed(later):
        content = compressor.decode(content)
    _check_length(layout, first, content)
    if isinstance(first, _Blosc) and _takes_frame(layout, out):
        first.decode(content, out)
        return
    content = content if first is None else first.decode(content)
    chunk = np.frombuffer(content, dtype=layout.chunk_dtype)
    if chunk.size != math.prod(layout.chunks):
        message = f"{chunk.size} values instead of those of a chunk of shape {layout.chunks}"
        raise ValueError(message)
    padded = chunk.reshape(layout.chunks)
    out[...] = padded if out.shape == layout.chunks else padded[tuple(map(slice, out.shape))]


def _check_length(layout: ArrayLayout, compressor: Compressor | None, frame: bytes) -> None:
    """Check that the length in the header of a frame is that of one chunk, before memory is allocated for it."""
    length = -1
    if isinstance(compressor, _Blosc):
        length = _frame_length(frame)
    elif isinstance(compressor, Zstd):
        length = zstd_length(frame)
    if length not in {-1, layout.chunk_bytes}:
        message = f"{length} bytes instead of the {layout.chunk_bytes} of a chunk of shape {layout.chunks}"
        raise ValueError(message)


def zstd_length(frame: bytes) -> int:
    """Return the content size in the header of a zstd frame (RFC 8878, 3.1.1.1); -1 if the header has none."""
    descriptor = frame[4]
    is_single = bool(descriptor & 0x20)
    start = 5 + (not is_single) + (0, 1, 2, 4)[descriptor & 3]
    size = (int(is_single), 2, 4, 8)[descriptor >> 6]
    length = int.from_bytes(frame[start : start + size], "little")
    return length + (256 if size == 2 else 0) if size else -1


def check_count(layout: ArrayLayout, data: bytes) -> None:
    """Check that a chunk of variable-length strings declares the right number of them, if its compressors are known.

    Raises
    ------
    ValueError
        It declares another number, or is damaged.
    """
    if layout.codecs[0]["name"] != "vlen-utf8" or not all(map(_is_known, layout.codecs[1:])):
        return
    content: Any = data
    for compressor in reversed(_compressors(layout)):
        if isinstance(compressor, _Blosc):
            _frame_length(content)
        content = compressor.decode(content)
    count, expected = int.from_bytes(bytes(content[:4]), "little"), math.prod(layout.chunks)
    if count != expected:
        message = f"{count} strings instead of the {expected} of a chunk of shape {layout.chunks}"
        raise ValueError(message)


def _frame_length(frame: bytes) -> int:
    """Return the uncompressed length of a blosc frame, after checking that it is complete: blosc would read past its end.

    Source: the header of C-Blosc 1, whose bytes 4 to 7 and 12 to 15 are the lengths without and with compression.
    """
    if len(frame) < _BLOSC_HEADER or struct.unpack_from("<I", frame, 12)[0] != len(frame):
        message = f"{len(frame)} bytes are not a complete blosc frame"
        raise ValueError(message)
    length: int = struct.unpack_from("<I", frame, 4)[0]
    return length


def _takes_frame(layout: ArrayLayout, out: NDArray[Any]) -> bool:
    """Return whether a frame can be decompressed directly into the output: a full chunk with the stored bytes."""
    is_full = out.shape == layout.chunks and out.flags.c_contiguous
    return is_full and out.dtype.kind in "biufc" and sys.byteorder == "little"


@lru_cache(maxsize=8192)
def _compressors(layout: ArrayLayout) -> tuple[Compressor, ...]:
    return tuple(_COMPRESSORS[codec["name"]](codec.get("configuration", {})) for codec in layout.codecs[1:])


def _padded_chunk(layout: ArrayLayout, part: NDArray[Any]) -> NDArray[Any]:
    """Return a full chunk in little-endian order; one at the edge of the array is padded with the fill value."""
    if part.shape == layout.chunks:
        return np.ascontiguousarray(part, dtype=layout.chunk_dtype)
    chunk = np.full(layout.chunks, layout.fill, dtype=layout.chunk_dtype)
    chunk[tuple(slice(length) for length in part.shape)] = part
    return chunk


def _compress(chunk: NDArray[Any], compressors: tuple[Compressor, ...]) -> bytes | Pieces:
    if chunk.dtype.kind in "US":
        chunk = chunk.view(np.dtype((np.void, chunk.dtype.itemsize)))
    content: Any = chunk
    *before, last = compressors or (None,)
    for compressor in before:
        content = compressor.encode(content)
    if isinstance(last, _Checksum) and isinstance(content, bytes) and len(content) > _SMALL:
        return Pieces((content, last.suffix(content)))
    if last is not None:
        content = last.encode(content)
    return content.tobytes() if isinstance(content, np.ndarray) else bytes(content)
