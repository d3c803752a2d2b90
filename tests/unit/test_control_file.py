"""A control file that names another cluster is as sound as PostgreSQL's own."""

from __future__ import annotations

import struct

import pytest

from recovery.adapters.postgres.control_file import crc32c, system_identifier, with_system_identifier
from recovery.errors import VerificationFailed

OURS = 7713276368956369271


def control_file(identifier: int, length: int) -> bytes:
    """As PostgreSQL writes it: fields, the checksum of the fields, zeros up to 8192 bytes."""
    fields = struct.pack("<QII", identifier, 1300, 202209061) + bytes(n % 251 for n in range(length - 16))
    return (fields + struct.pack("<I", crc32c(fields))).ljust(8192, b"\0")


def test_the_checksum_is_the_one_of_rfc_3720() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"6789", crc32c(b"12345")) == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA


@pytest.mark.parametrize("length", [232, 288, 296, 504])
def test_another_cluster_with_its_own_checksum(length: int) -> None:
    made = with_system_identifier(control_file(1, length), OURS)
    assert made == control_file(OURS, length)
    assert system_identifier(made) == OURS


@pytest.mark.parametrize("content", [b"", b"short", bytes(range(256)) * 32, control_file(1, 288)[:280]])
def test_what_is_no_control_file_is_refused(content: bytes) -> None:
    with pytest.raises(VerificationFailed) as refused:
        with_system_identifier(content, OURS)
    assert refused.value.problem == "this is no sound control file of PostgreSQL: no checksum in it fits"


def test_a_damaged_control_file_is_refused() -> None:
    content = bytearray(control_file(1, 288))
    content[100] ^= 1
    with pytest.raises(VerificationFailed):
        system_identifier(bytes(content))
