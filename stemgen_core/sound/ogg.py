"""Ogg pages with a fixed serial number, so that compressing the same sample twice gives the same bytes.

Encoders draw the serial number of a stream at random; nothing depends on it in a file of one stream.

Source: RFC 3533 (page layout and checksum).
"""

import struct

_SERIAL_AT, _CHECKSUM_AT, _NUM_SEGMENTS_AT, _HEADER_BYTES = 14, 22, 26, 27
_POLYNOMIAL = 0x04C11DB7


def _checksum_table() -> list[int]:
    table = []
    for value in range(256):
        remainder = value << 24
        for _ in range(8):
            remainder = (remainder << 1) ^ (_POLYNOMIAL if remainder & 0x80000000 else 0)
        table.append(remainder & 0xFFFFFFFF)
    return table


_TABLE = _checksum_table()


def _checksum(page: bytes | bytearray) -> int:
    checksum = 0
    for byte in page:
        checksum = ((checksum << 8) & 0xFFFFFFFF) ^ _TABLE[(checksum >> 24) ^ byte]
    return checksum


def with_serial_number(stream: bytes, serial_number: int) -> bytes:
    """Return an Ogg stream with another serial number and right checksums.

    Args:
        stream: whole pages.
        serial_number: 32 bits, unsigned.

    Raises:
        ValueError: if `stream` is not made of whole Ogg pages.
    """
    pages, position = [], 0
    while position < len(stream):
        if stream[position : position + 4] != b"OggS":
            raise ValueError(f"stream must be whole Ogg pages, found none at byte {position}")
        num_segments = stream[position + _NUM_SEGMENTS_AT]
        segments = stream[position + _HEADER_BYTES : position + _HEADER_BYTES + num_segments]
        page = bytearray(stream[position : position + _HEADER_BYTES + num_segments + sum(segments)])
        struct.pack_into("<I", page, _SERIAL_AT, serial_number)
        struct.pack_into("<I", page, _CHECKSUM_AT, 0)
        struct.pack_into("<I", page, _CHECKSUM_AT, _checksum(page))
        pages.append(bytes(page))
        position += len(page)
    return b"".join(pages)
