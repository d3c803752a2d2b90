"""PostgreSQL's control file as bytes: whose cluster it says it is. Pure: bytes in, bytes out."""

from __future__ import annotations

import struct

from recovery.errors import VerificationFailed

_IDENTIFIER = struct.Struct("<Q")  # the first field in every version
_CHECKSUM = struct.Struct("<I")
_POLYNOMIAL = 0x82F63B78  # CRC-32C, bits reversed
# Versions add fields, so the checksum moves; PostgreSQL keeps all of them within one disk sector.
_CHECKSUM_PLACES = range(_IDENTIFIER.size, 512, _CHECKSUM.size)


def _table() -> tuple[int, ...]:
    entries = []
    for entry in range(256):
        for _ in range(8):
            entry = (entry >> 1) ^ _POLYNOMIAL if entry & 1 else entry >> 1
        entries.append(entry)
    return tuple(entries)


_TABLE = _table()


def crc32c(content: bytes, begun: int = 0) -> int:
    """The checksum that PostgreSQL writes (Castagnoli's); `begun` goes on from an earlier part."""
    value = begun ^ 0xFFFFFFFF
    for byte in content:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def system_identifier(content: bytes) -> int:
    """The system identifier in a sound control file.

    Raises: VerificationFailed when it is not one.
    """
    _checksum_place(content)
    return int(_IDENTIFIER.unpack_from(content)[0])


def with_system_identifier(content: bytes, identifier: int) -> bytes:
    """The same control file for a cluster of this identifier, with the checksum that belongs to it.

    Raises: VerificationFailed when the content is no sound control file.
    """
    place = _checksum_place(content)
    changed = bytearray(content)
    _IDENTIFIER.pack_into(changed, 0, identifier)
    _CHECKSUM.pack_into(changed, place, crc32c(bytes(changed[:place])))
    return bytes(changed)


def _checksum_place(content: bytes) -> int:
    """Where the checksum of all that comes before it stands."""
    value, done = 0, 0
    for place in _CHECKSUM_PLACES:
        value, done = crc32c(content[done:place], value), place
        if content[place : place + _CHECKSUM.size] == _CHECKSUM.pack(value):
            return place
    raise VerificationFailed(
        "this is no sound control file of PostgreSQL: no checksum in it fits",
        "check that database.bin_dir is PostgreSQL's own program folder, then run this again",
    )
