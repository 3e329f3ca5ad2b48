"""Five ways of harming a file, each from a seeded generator."""

import random
import struct
from collections.abc import Callable, Mapping

Mutator = Callable[[bytes, random.Random, bytes], bytes]

_EXTREMES = (b"\0", b"\xff", b"\x7f", b"\x80", b"\0\0", b"\xff\xff", b"\x7f\xff", b"\xff\x7f")
_LONG_EXTREMES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0, 65_536)


def flip_bits(content: bytes, rng: random.Random, _other: bytes) -> bytes:
    """Flip 1 to 256 bits, half of the time in the first 128 bytes only."""
    harmed = bytearray(content)
    reach = len(harmed) if rng.random() < 0.5 else min(128, len(harmed))
    for _ in range(rng.choice([1, 2, 8, 64, 256])):
        harmed[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    return bytes(harmed)


def write_extremes(content: bytes, rng: random.Random, _other: bytes) -> bytes:
    """Overwrite fields of the header with the smallest and greatest numbers of 1, 2 and 4 bytes."""
    harmed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 4])):
        order = rng.choice("<>")
        field = rng.choice([*_EXTREMES, *(struct.pack(f"{order}I", value) for value in _LONG_EXTREMES)])
        at = rng.randrange(min(len(harmed), rng.choice([64, 256, 4096])))
        harmed[at : at + len(field)] = field
    return bytes(harmed[: len(content)])


def cut(content: bytes, rng: random.Random, _other: bytes) -> bytes:
    """Cut off the end, the beginning, or a piece out of the middle."""
    first, last = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return rng.choice([content[:first], content[first:], content[:first] + content[last:]])


def repeat_and_swap(content: bytes, rng: random.Random, _other: bytes) -> bytes:
    """Repeat a block up to 64 times and swap two others."""
    size = rng.choice([1, 16, 512, 4096])
    blocks = [content[at : at + size] for at in range(0, len(content), size)]
    repeated = rng.randrange(len(blocks))
    blocks[repeated:repeated] = [blocks[repeated]] * rng.randrange(64)
    one, another = rng.randrange(len(blocks)), rng.randrange(len(blocks))
    blocks[one], blocks[another] = blocks[another], blocks[one]
    return b"".join(blocks)


def cross_over(content: bytes, rng: random.Random, other: bytes) -> bytes:
    """Join the beginning of this file to a piece of one of another format: a polyglot."""
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other)) :]


MUTATORS: Mapping[str, Mutator] = {
    mutator.__name__: mutator for mutator in (flip_bits, write_extremes, cut, repeat_and_swap, cross_over)
}
