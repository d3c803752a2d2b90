"""PostgreSQL's page format, as far as it takes to damage a page so that only a real check notices."""

from __future__ import annotations

import struct

PAGE_BYTES = 8192

_HEADER = 24
_CHECKSUM_AT = 8
_LOWER_AT = 12
_LEAF, _NOT_SOUND = 1, 4 | 8 | 16  # deleted, meta, half dead
_NORMAL_ITEM = 1
_ENOUGH_ITEMS = 8

_PRIME = 16777619
_OFFSETS = (
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
)  # fmt: skip


def checksum(page: bytes, number: int) -> int:
    """The checksum PostgreSQL computes for a page (storage/checksum_impl.h)."""
    blank = page[:_CHECKSUM_AT] + b"\0\0" + page[_CHECKSUM_AT + 2 :]
    words = struct.unpack("<2048I", blank)
    sums = list(_OFFSETS)
    width = len(_OFFSETS)
    for at in range(0, len(words), width):
        sums = [_mix(total, word) for total, word in zip(sums, words[at : at + width], strict=True)]
    for _ in range(2):
        sums = [_mix(total, 0) for total in sums]
    result = 0
    for total in sums:
        result ^= total
    return (result ^ number) % 65535 + 1


def with_checksum(page: bytes, number: int) -> bytes:
    """The page with the checksum that its content now demands."""
    return page[:_CHECKSUM_AT] + struct.pack("<H", checksum(page, number)) + page[_CHECKSUM_AT + 2 :]


def stored_checksum(page: bytes) -> int:
    """The checksum that is written in a page."""
    return int(struct.unpack_from("<H", page, _CHECKSUM_AT)[0])


def is_index_leaf(page: bytes) -> bool:
    """Whether this is a sound btree leaf with enough entries to disorder."""
    flags = struct.unpack_from("<H", page, PAGE_BYTES - 4)[0]
    return bool(flags & _LEAF) and not flags & _NOT_SOUND and len(_entries(page)) >= _ENOUGH_ITEMS


def disorder_index_page(page: bytes) -> bytes:
    """Swap the first and the last entry of a btree leaf: a search then misses both."""
    entries = _entries(page)
    first, last = entries[0], entries[-1]
    changed = bytearray(page)
    changed[first : first + 4], changed[last : last + 4] = page[last : last + 4], page[first : first + 4]
    return bytes(changed)


def _entries(page: bytes) -> list[int]:
    """Where the line pointers of the data entries are; the high key of an inner leaf is none."""
    lower = struct.unpack_from("<H", page, _LOWER_AT)[0]
    following = struct.unpack_from("<I", page, PAGE_BYTES - 12)[0]
    begin = _HEADER + 4 if following else _HEADER
    pointers = range(begin, lower, 4)
    return [at for at in pointers if struct.unpack_from("<I", page, at)[0] >> 15 & 3 == _NORMAL_ITEM]


def _mix(total: int, word: int) -> int:
    mixed = total ^ word
    return (mixed * _PRIME & 0xFFFFFFFF) ^ (mixed >> 17)
