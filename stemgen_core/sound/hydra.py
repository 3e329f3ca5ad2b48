"""The structure of SoundFont 2 files: presets, instruments, samples; read, cut down, written.

A font is a RIFF file of three lists: INFO, sdta (all samples in one chunk), pdta (nine tables, the "hydra"). A preset
owns a run of bags (zones), a bag runs of generators and modulators; a generator of a preset zone may name an
instrument, which owns bags likewise, whose generators name samples. Version 3 is the same with each sample an Ogg
Vorbis stream of its own: start and end are then bytes in the chunk, and loop points count from the sample's start.

Source: the SoundFont 2.04 specification; FluidSynth's description of version 3.
"""

import itertools
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

_GEN_INSTRUMENT, _GEN_SAMPLE = 41, 53
_VORBIS_FLAG = 0x10
_GAP_FRAMES = 46  # zeros that the specification wants after each uncompressed sample
_FORMATS = {
    "phdr": "<20sHHHIII",
    "pbag": "<HH",
    "pmod": "<HHhHH",
    "pgen": "<HH",
    "inst": "<20sH",
    "ibag": "<HH",
    "imod": "<HHhHH",
    "igen": "<HH",
    "shdr": "<20sIIIIIBbHH",
}


@dataclass(frozen=True, slots=True)
class Zone:
    """Generators (operator, raw 16-bit amount) and modulators (raw fields) that hold together.

    Attributes:
        generators: without the one that names the target.
        modulators: as stored.
        target: index of the instrument or sample; None for a global zone.
    """

    generators: tuple[tuple[int, int], ...]
    modulators: tuple[tuple[int, ...], ...]
    target: int | None


@dataclass(frozen=True, slots=True)
class Preset:
    """What a program change selects.

    Attributes:
        name: at most 20 bytes.
        program: 0..127.
        bank: 0, or 128 for drum kits.
        zones: their targets are instruments.
    """

    name: bytes
    program: int
    bank: int
    zones: tuple[Zone, ...]


@dataclass(frozen=True, slots=True)
class FontInstrument:
    """A set of zones over samples."""

    name: bytes
    zones: tuple[Zone, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample.

    Attributes:
        name: at most 20 bytes.
        data: int16 little-endian PCM, or an Ogg Vorbis stream.
        is_vorbis: which of the two.
        loop_start: frames from the sample's start.
        loop_end: one past the last frame of the loop.
        sample_rate_hz: of the recording.
        original_pitch: MIDI key.
        pitch_correction_cents: -128..127.
        link: index of the other channel of a stereo pair; None if it has none.
        kind: 1 mono, 2 right, 4 left, 8 linked.
    """

    name: bytes
    data: bytes
    is_vorbis: bool
    loop_start: int
    loop_end: int
    sample_rate_hz: int
    original_pitch: int
    pitch_correction_cents: int
    link: int | None
    kind: int

    @property
    def num_frames(self) -> int:
        """Frames of uncompressed data.

        Raises:
            ValueError: if the sample is compressed.
        """
        if self.is_vorbis:
            raise ValueError(f"sample {self.name!r} is compressed; its frames are known only after decoding")
        return len(self.data) // 2


@dataclass(frozen=True, slots=True)
class Font:
    """A whole soundfont.

    Attributes:
        info: INFO chunks but the version, for example `b"INAM"`.
        presets: in file order.
        instruments: targets of preset zones.
        samples: targets of instrument zones.
    """

    info: dict[bytes, bytes]
    presets: tuple[Preset, ...]
    instruments: tuple[FontInstrument, ...]
    samples: tuple[Sample, ...]


def _chunks(data: memoryview) -> Iterable[tuple[bytes, memoryview]]:
    position = 0
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        yield name, data[position + 8 : position + 8 + size]
        position += 8 + size
        # RIFF pads odd chunks with a zero; MuseScore's sf3 files don't, and no chunk's name begins with a zero.
        position += size % 2 if position < len(data) and data[position] == 0 else 0


def _zones(tables: dict[str, list[tuple]], kind: str, first: int, last: int, target_operator: int) -> tuple[Zone, ...]:
    bags, zones = tables[f"{kind}bag"], []
    for bag in range(first, last):
        generators = tables[f"{kind}gen"][bags[bag][0] : bags[bag + 1][0]]
        target = next((amount for operator, amount in generators if operator == target_operator), None)
        kept = tuple(pair for pair in generators if pair[0] != target_operator)
        zones.append(Zone(kept, tuple(tables[f"{kind}mod"][bags[bag][1] : bags[bag + 1][1]]), target))
    return tuple(zones)


def parse_font(data: bytes) -> Font:
    """Read a SoundFont 2 or 3 file.

    Raises:
        ValueError: if `data` is no soundfont.
    """
    view = memoryview(data)
    if len(view) < 12 or bytes(view[:4]) != b"RIFF" or bytes(view[8:12]) != b"sfbk":
        raise ValueError("data must be a RIFF file of type sfbk")
    info: dict[bytes, bytes] = {}
    tables: dict[str, list[tuple]] = {}
    pcm = memoryview(b"")
    for name, body in _chunks(view[12:]):
        if name != b"LIST":
            continue
        for inner, content in _chunks(body[4:]):
            if bytes(body[:4]) == b"INFO":
                info[inner] = bytes(content)
            elif inner == b"smpl":
                pcm = content
            elif (key := inner.decode("ascii", "replace")) in _FORMATS:
                tables[key] = list(struct.iter_unpack(_FORMATS[key], content))
    missing = sorted(set(_FORMATS) - set(tables))
    if missing:
        raise ValueError(f"soundfont lacks the tables {missing}")
    info.pop(b"ifil", None)
    heads = tables["phdr"]
    presets = tuple(
        Preset(head[0].rstrip(b"\0"), head[1], head[2], _zones(tables, "p", head[3], following[3], _GEN_INSTRUMENT))
        for head, following in itertools.pairwise(heads)
    )
    inst = tables["inst"]
    instruments = tuple(
        FontInstrument(head[0].rstrip(b"\0"), _zones(tables, "i", head[1], following[1], _GEN_SAMPLE))
        for head, following in itertools.pairwise(inst)
    )
    samples = tuple(_parse_sample(head, pcm, len(tables["shdr"]) - 1) for head in tables["shdr"][:-1])
    return Font(info, presets, instruments, samples)


def _parse_sample(head: tuple, pcm: memoryview, num_samples: int) -> Sample:
    name, start, end, loop_start, loop_end, rate, pitch, correction, link, kind = head
    is_vorbis = bool(kind & _VORBIS_FLAG)
    data = bytes(pcm[start:end]) if is_vorbis else bytes(pcm[2 * start : 2 * end])
    base = 0 if is_vorbis else start
    has_link = kind & ~_VORBIS_FLAG in (2, 4, 8) and link < num_samples
    return Sample(
        name.rstrip(b"\0"), data, is_vorbis, loop_start - base, loop_end - base, rate, pitch, correction,
        link if has_link else None, kind & ~_VORBIS_FLAG,
    )  # fmt: skip


def subset_font(font: Font, wanted: Iterable[tuple[int, int]]) -> Font:
    """Return the font with only some presets, and what they need.

    Args:
        font: the whole.
        wanted: (bank, program) pairs.

    Raises:
        ValueError: if the font lacks a wanted preset.
    """
    by_number = {(preset.bank, preset.program): preset for preset in font.presets}
    missing = sorted(set(wanted) - set(by_number))
    if missing:
        raise ValueError(f"the font lacks the presets (bank, program) {missing}")
    presets = [by_number[number] for number in sorted(set(wanted))]
    instrument_ids = sorted({z.target for preset in presets for z in preset.zones if z.target is not None})
    instruments = [font.instruments[index] for index in instrument_ids]
    sample_ids = sorted({z.target for one in instruments for z in one.zones if z.target is not None})
    new_instrument = {old: new for new, old in enumerate(instrument_ids)}
    new_sample = {old: new for new, old in enumerate(sample_ids)}

    def moved(zones: tuple[Zone, ...], new: dict[int, int]) -> tuple[Zone, ...]:
        return tuple(replace(z, target=None if z.target is None else new[z.target]) for z in zones)

    samples = []
    for old in sample_ids:
        sample = font.samples[old]
        link = new_sample.get(sample.link) if sample.link is not None else None
        samples.append(replace(sample, link=link, kind=sample.kind if link is not None else 1))
    return Font(
        font.info,
        tuple(replace(preset, zones=moved(preset.zones, new_instrument)) for preset in presets),
        tuple(replace(one, zones=moved(one.zones, new_sample)) for one in instruments),
        tuple(samples),
    )


def map_samples(font: Font, change: Callable[[Sample], Sample]) -> Font:
    """Return the font with each sample changed."""
    return replace(font, samples=tuple(change(sample) for sample in font.samples))


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content + b"\0" * (len(content) % 2)


class _Tables:
    """The nine tables under construction."""

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple]] = {name: [] for name in _FORMATS}

    def add_zones(self, kind: str, zones: tuple[Zone, ...], target_operator: int) -> None:
        for zone in zones:
            self.rows[f"{kind}bag"].append((len(self.rows[f"{kind}gen"]), len(self.rows[f"{kind}mod"])))
            self.rows[f"{kind}gen"] += zone.generators
            if zone.target is not None:  # the specification wants the target last
                self.rows[f"{kind}gen"].append((target_operator, zone.target))
            self.rows[f"{kind}mod"] += zone.modulators

    def end_zones(self, kind: str) -> None:
        self.rows[f"{kind}bag"].append((len(self.rows[f"{kind}gen"]), len(self.rows[f"{kind}mod"])))
        self.rows[f"{kind}gen"].append((0, 0))
        self.rows[f"{kind}mod"].append((0, 0, 0, 0, 0))

    def pack(self) -> bytes:
        return b"".join(
            _chunk(name.encode(), b"".join(struct.pack(layout, *row) for row in self.rows[name]))
            for name, layout in _FORMATS.items()
        )


def write_font(font: Font) -> bytes:
    """Return the font as a file: version 3 if any sample is compressed, else version 2."""
    tables, pcm = _Tables(), bytearray()
    for preset in font.presets:
        tables.rows["phdr"].append((preset.name, preset.program, preset.bank, len(tables.rows["pbag"]), 0, 0, 0))
        tables.add_zones("p", preset.zones, _GEN_INSTRUMENT)
    tables.rows["phdr"].append((b"EOP", 0, 0, len(tables.rows["pbag"]), 0, 0, 0))
    tables.end_zones("p")
    for instrument in font.instruments:
        tables.rows["inst"].append((instrument.name, len(tables.rows["ibag"])))
        tables.add_zones("i", instrument.zones, _GEN_SAMPLE)
    tables.rows["inst"].append((b"EOI", len(tables.rows["ibag"])))
    tables.end_zones("i")
    for sample in font.samples:
        if sample.is_vorbis:
            start, base = len(pcm), 0
            pcm += sample.data
            end = len(pcm)
        else:
            pcm += b"\0" * (len(pcm) % 2)
            start = base = len(pcm) // 2
            pcm += sample.data
            end = len(pcm) // 2
            pcm += b"\0" * (2 * _GAP_FRAMES)
        kind = sample.kind | (_VORBIS_FLAG if sample.is_vorbis else 0)
        tables.rows["shdr"].append(
            (sample.name, start, end, base + sample.loop_start, base + sample.loop_end, sample.sample_rate_hz,
             sample.original_pitch, sample.pitch_correction_cents, sample.link or 0, kind)
        )  # fmt: skip
    tables.rows["shdr"].append((b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0))
    version = 3 if any(sample.is_vorbis for sample in font.samples) else 2
    info = _chunk(b"ifil", struct.pack("<HH", version, 1)) + b"".join(_chunk(*item) for item in font.info.items())
    body = (
        b"sfbk"
        + _chunk(b"LIST", b"INFO" + info)
        + _chunk(b"LIST", b"sdta" + _chunk(b"smpl", bytes(pcm)))
        + _chunk(b"LIST", b"pdta" + tables.pack())
    )
    return _chunk(b"RIFF", body)
