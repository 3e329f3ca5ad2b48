"""Files made by hand to do harm, and what must be said of each; `AUDIO` where the file can be used after all."""

import gzip
import io
import struct
import zipfile
from collections.abc import Callable, Mapping

import numpy as np
import soundfile

from tests.torture.sound_files import RATE_HZ, chord

AUDIO = "audio"
ANY_ERROR = "can't be used"
NO_AUDIO = "it is no audio file|its encoding .* is not supported|it holds no audio that can be decoded"
BROKEN = f"{NO_AUDIO}|damaged|length is zero|lasts only"

Make = Callable[[], bytes]


def chunk(name: bytes, content: bytes, claimed: int | None = None) -> bytes:
    return name + struct.pack("<I", len(content) if claimed is None else claimed) + content


def fmt(tag: int = 1, channels: int = 1, rate_hz: int = RATE_HZ, bits: int = 16, align: int | None = None) -> bytes:
    align = channels * bits // 8 if align is None else align
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * align & 0xFFFFFFFF, align, bits))


def riff(*chunks: bytes, claimed: int | None = None, form: bytes = b"WAVE") -> bytes:
    return chunk(b"RIFF", form + b"".join(chunks), claimed)


def pcm(num_frames: int = RATE_HZ) -> bytes:
    return (chord(num_frames, 1)[:, 0] * 32_767).astype("<i2").tobytes()


def encoded(samples: np.ndarray, rate_hz: int = RATE_HZ, container: str = "WAV", subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate_hz, format=container, subtype=subtype)
    return buffer.getvalue()


def with_field(content: bytes, at: int, layout: str, value: float) -> bytes:
    harmed = bytearray(content)
    struct.pack_into(layout, harmed, at, value)
    return bytes(harmed)


def long_silence(container: str, subtype: str, seconds: int, rate_hz: int) -> bytes:
    """Return a few kilobytes that unpack to very much; written in pieces, as libsndfile breaks on long Vorbis."""
    buffer = io.BytesIO()
    second = np.zeros(rate_hz, np.float32)
    with soundfile.SoundFile(buffer, "w", rate_hz, 1, subtype, format=container) as file:
        for _ in range(seconds):
            file.write(second)
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("song.wav", bytes(50_000_000))
    return buffer.getvalue()


def flawed(value: float) -> bytes:
    samples = chord(RATE_HZ, 1).astype(np.float32)
    samples[20_000] = value
    return encoded(samples, subtype="FLOAT")


def flac() -> bytes:
    return encoded(chord(RATE_HZ, 2), container="FLAC")


def flac_claiming(field_bytes: bytes) -> bytes:
    """Return a FLAC whose bytes 18..25 (rate, channels, bits, length) are replaced."""
    content = flac()
    return content[:18] + field_bytes + content[26:]


def ogg(packet: bytes, *, crc: int = 0) -> bytes:
    header = b"OggS" + bytes([0, 2]) + bytes(8) + struct.pack("<III", 7, 0, crc)
    return header + bytes([1, len(packet)]) + packet


def aiff(rate: bytes, channels: int = 1, num_frames: int = RATE_HZ) -> bytes:
    common = struct.pack(">hIh", channels, num_frames, 16) + rate
    body = b"AIFF" + b"COMM" + struct.pack(">I", len(common)) + common
    sound = bytes(8) + pcm()
    body += b"SSND" + struct.pack(">I", len(sound)) + sound
    return b"FORM" + struct.pack(">I", len(body)) + body


def box(name: bytes, content: bytes, claimed: int | None = None) -> bytes:
    return struct.pack(">I", len(content) + 8 if claimed is None else claimed) + name + content


def nested_boxes(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = box(b"moov", content)
    return FTYP + content


def mp4_elsewhere(url: bytes) -> bytes:
    """Return an MP4 whose samples are said to lie at another address."""
    reference = box(b"url ", bytes(4) + url + b"\0")
    data = box(b"dinf", box(b"dref", bytes(4) + struct.pack(">I", 1) + reference))
    entry = bytes(6) + struct.pack(">H", 1) + bytes(8) + struct.pack(">HHI", 2, 16, 0) + struct.pack(">I", 44100 << 16)
    table = (
        box(b"stsd", bytes(4) + struct.pack(">I", 1) + box(b"mp4a", entry))
        + box(b"stts", bytes(4) + struct.pack(">III", 1, 0xFFFFFFFF, 0xFFFFFFFF))
        + box(b"stsc", bytes(4) + struct.pack(">IIII", 1, 1, 0xFFFFFFFF, 1))
        + box(b"stsz", bytes(4) + struct.pack(">II", 0x7FFFFFFF, 0xFFFFFFFF))
        + box(b"stco", bytes(4) + struct.pack(">II", 1, 0))
    )
    media = box(b"hdlr", bytes(8) + b"soun" + bytes(13)) + box(b"minf", data + box(b"stbl", table))
    return FTYP + box(b"moov", box(b"trak", box(b"mdia", media))) + box(b"mdat", bytes(2000))


FTYP = box(b"ftyp", b"M4A \0\0\0\0M4A mp42isom\0\0\0\0")
EBML = b"\x1aE\xdf\xa3"
ID3 = b"ID3\x04\0\0"
PCM_GUID_TAIL = b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
EXTENDED_RATE = struct.pack(">HQ", 0x400E, 0xAC44 << 48)  # 44100 as AIFF writes it

NOT_AUDIO: Mapping[str, tuple[Make, str]] = {
    "nothing": (lambda: b"", "the file is empty"),
    "one byte": (lambda: b"R", NO_AUDIO),
    "html": (lambda: b"<!doctype html><script>alert(1)</script>" * 50, NO_AUDIO),
    "svg": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>' * 20, NO_AUDIO),
    "pdf": (lambda: b"%PDF-1.7\n" + bytes(5000), NO_AUDIO),
    "png": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(5000), NO_AUDIO),
    "program": (lambda: b"MZ" + bytes(5000), NO_AUDIO),
    "elf": (lambda: b"\x7fELF" + bytes(5000), NO_AUDIO),
    "pickle": (lambda: b"\x80\x04\x95\x20\0\0\0\0\0\0\0\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.", NO_AUDIO),
    "shell": (lambda: b"#!/bin/sh\ntouch /tmp/owned\n", NO_AUDIO),
    "zip bomb": (zipped, NO_AUDIO),
    "gzip bomb": (lambda: gzip.compress(bytes(50_000_000)), NO_AUDIO),
    "playlist": (lambda: b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n", NO_AUDIO),
    "concat list": (lambda: b"ffconcat version 1.0\nfile '/etc/passwd'\n", NO_AUDIO),
    "noise": (lambda: np.random.default_rng(0).bytes(100_000), BROKEN),
    "a whole lot of zeros": (lambda: bytes(5_000_000), NO_AUDIO),
}

WAVES: Mapping[str, tuple[Make, str]] = {
    "riff and no more": (lambda: b"RIFF\xff\xff\xff\xffWAVE", BROKEN),
    "no fmt": (lambda: riff(chunk(b"data", pcm())), BROKEN),
    "no data": (lambda: riff(fmt()), BROKEN),
    "fmt of 4 GB": (lambda: riff(chunk(b"fmt ", bytes(16), 0xFFFFFFFF), chunk(b"data", pcm())), BROKEN),
    "list of 2 GB": (lambda: riff(fmt(), chunk(b"LIST", b"INFO", 0x7FFFFFFF), chunk(b"data", pcm())), ANY_ERROR),
    "0 channels": (lambda: riff(fmt(channels=0, align=2), chunk(b"data", pcm())), BROKEN),
    "3 channels": (lambda: encoded(chord(RATE_HZ, 3)), "it has 3 channels"),
    "1024 channels": (lambda: encoded(chord(4_000, 1_024), 8_000), "it has 1024 channels"),
    "65535 channels": (lambda: riff(fmt(channels=65_535, align=2), chunk(b"data", pcm())), ANY_ERROR),
    "0 Hz": (lambda: riff(fmt(rate_hz=0), chunk(b"data", pcm())), ANY_ERROR),
    "1 Hz": (lambda: riff(fmt(rate_hz=1), chunk(b"data", pcm())), "it has 1 samples per second"),
    "2 GHz": (lambda: riff(fmt(rate_hz=2**31 - 1), chunk(b"data", pcm())), "it has 2147483647 samples per second"),
    "4 GHz": (lambda: riff(fmt(rate_hz=2**32 - 1), chunk(b"data", pcm())), ANY_ERROR),
    "0 bits": (lambda: riff(fmt(bits=0, align=2), chunk(b"data", pcm())), ANY_ERROR),
    "255 bits": (lambda: riff(fmt(bits=255, align=2), chunk(b"data", pcm())), ANY_ERROR),
    "align 0": (lambda: riff(fmt(align=0), chunk(b"data", pcm())), AUDIO),
    "data says 4 GB": (lambda: riff(fmt(), chunk(b"data", pcm(), 0xFFFFFFFF)), AUDIO),
    "riff says 0": (lambda: riff(fmt(), chunk(b"data", pcm()), claimed=0), AUDIO),
    "rf64 of an exabyte": (
        lambda: (
            b"RF64\xff\xff\xff\xffWAVE"
            + chunk(b"ds64", struct.pack("<QQQI", *[2**60] * 3, 0))
            + fmt()
            + chunk(b"data", pcm(), 0xFFFFFFFF)
        ),
        f"{ANY_ERROR}|{AUDIO}",
    ),
    "unknown guid": (
        lambda: riff(
            chunk(b"fmt ", struct.pack("<HHIIHHHHI", 0xFFFE, 1, RATE_HZ, 88_200, 2, 16, 22, 16, 4) + b"\xee" * 16),
            chunk(b"data", pcm()),
        ),
        BROKEN,
    ),
    "ima adpcm": (lambda: encoded(chord(RATE_HZ, 1), subtype="IMA_ADPCM"), "IMA ADPCM.* is not supported"),
    "ms adpcm": (lambda: encoded(chord(RATE_HZ, 1), subtype="MS_ADPCM"), "is not supported"),
    "gsm": (lambda: encoded(chord(RATE_HZ, 1), 8_000, subtype="GSM610"), "is not supported"),
    "u-law": (lambda: encoded(chord(RATE_HZ, 1), subtype="ULAW"), "is not supported"),
    "mp3 inside": (lambda: riff(fmt(tag=0x55), chunk(b"data", pcm())), ANY_ERROR),
    "no frames": (lambda: encoded(np.zeros((0, 2))), "length is zero"),
    "0.1 seconds": (lambda: encoded(chord(RATE_HZ // 10)), "lasts only 0.10 seconds"),
    "silence": (lambda: encoded(np.zeros(RATE_HZ)), "silent from beginning to end"),
    "not a number": (lambda: flawed(np.nan), "NaN or infinite"),
    "infinity": (lambda: flawed(-np.inf), "NaN or infinite"),
    "1e38": (lambda: flawed(1e38), AUDIO),
    "html after the sound": (lambda: encoded(chord(RATE_HZ)) + b"<script>alert(1)</script>" * 99, AUDIO),
    "zip after the sound": (lambda: encoded(chord(RATE_HZ)) + zipped(), AUDIO),
}

PACKED: Mapping[str, tuple[Make, str]] = {
    "flac without frames": (lambda: flac()[:42], BROKEN),
    "flac of 2^36 samples": (lambda: flac_claiming(b"\x0a\xc4\x42\xff\xff\xff\xff\xff"), f"{ANY_ERROR}|{AUDIO}"),
    "flac of 8 channels": (lambda: encoded(chord(RATE_HZ, 8), container="FLAC"), "it has 8 channels"),
    "flac of 655 kHz": (lambda: flac_claiming(b"\x9f\xff\xf2\xf0\0\0\xac\x44"), ANY_ERROR),
    "flac cut": (lambda: flac()[: len(flac()) // 2], f"{ANY_ERROR}|{AUDIO}"),
    "flac of zeros": (lambda: flac()[:200] + bytes(50_000), BROKEN),
    "flac with a picture of 16 MB": (lambda: b"fLaC\x06\xff\xff\xff" + flac()[4:], BROKEN),
    "flac bomb": (lambda: long_silence("FLAC", "PCM_16", 3_000, 8_000), "longer than 600 seconds"),
    "vorbis bomb": (lambda: long_silence("OGG", "VORBIS", 1_200, 8_000), "longer than 600 seconds"),
    "opus bomb": (lambda: long_silence("OGG", "OPUS", 610, 8_000), "longer than 600 seconds"),
    "vorbis of 255 channels": (lambda: ogg(b"\x01vorbis" + bytes(4) + b"\xff" + b"\xff" * 18), BROKEN),
    "opus of 255 channels": (lambda: ogg(b"OpusHead\x01\xff" + b"\xff" * 9), BROKEN),
    "ogg page without end": (lambda: b"OggS" + b"\xff" * 500, BROKEN),
    "theora": (lambda: ogg(b"\x80theora" + bytes(40)), BROKEN),
    "tag of 256 MB": (lambda: ID3 + b"\x7f\x7f\x7f\x7f" + bytes(1000), BROKEN),
    "tag, then html": (lambda: ID3 + b"\0\0\0\x0a" + bytes(10) + b"<html><script>alert(1)</script>" * 50, BROKEN),
    "mp3 frames of nothing": (lambda: b"\xff\xfb\x90\x00" * 2_000, f"{ANY_ERROR}|{AUDIO}"),
    "mp3 cut to one frame": (lambda: encoded(chord(RATE_HZ), container="MP3")[:500], ANY_ERROR),
    "aiff at a rate that is no number": (lambda: aiff(b"\x7f\xff" + b"\xff" * 8), ANY_ERROR),
    "aiff of 2^32 frames": (lambda: aiff(EXTENDED_RATE, num_frames=2**32 - 1), AUDIO),
    "aiff of -1 channels": (lambda: aiff(EXTENDED_RATE, channels=-1), ANY_ERROR),
    "au": (lambda: encoded(chord(RATE_HZ, 1), container="AU", subtype="PCM_16"), "is not supported"),
    "caf": (lambda: encoded(chord(RATE_HZ, 1), container="CAF", subtype="PCM_16"), "is not supported"),
    "matlab": (lambda: encoded(chord(RATE_HZ, 1), container="MAT5", subtype="PCM_16"), "is not supported"),
    "voc": (lambda: encoded(chord(RATE_HZ, 1), container="VOC", subtype="PCM_16"), "is not supported"),
}

FOR_FFMPEG: Mapping[str, tuple[Make, str]] = {
    "mp4 and no more": (lambda: FTYP, NO_AUDIO),
    "mp4 of zeros": (lambda: FTYP + bytes(50_000), NO_AUDIO),
    "mp4 box without end": (lambda: FTYP + box(b"moov", bytes(100), 0xFFFFFFFF), NO_AUDIO),
    "mp4 nested 10 000 deep": (lambda: nested_boxes(10_000), NO_AUDIO),
    "mp4 with samples elsewhere": (lambda: mp4_elsewhere(b"http://127.0.0.1:9/x"), NO_AUDIO),
    "mp4 with samples in a file": (lambda: mp4_elsewhere(b"file:///etc/passwd"), NO_AUDIO),
    "webm and no more": (lambda: EBML + b"\x01" + b"\xff" * 7, NO_AUDIO),
    "webm of noise": (lambda: EBML + np.random.default_rng(1).bytes(50_000), NO_AUDIO),
    "webm nested": (lambda: EBML + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"\x1f\x43\xb6\x75\xff" * 9_000, NO_AUDIO),
    "adts of empty frames": (lambda: b"\xff\xf1\x50\x80\x00\xff\xfc" * 5_000, NO_AUDIO),
    "adts, then html": (lambda: b"\xff\xf1" + b"<script>alert(1)</script>" * 50, NO_AUDIO),
}

BAD_FILES: Mapping[str, tuple[Make, str]] = {**NOT_AUDIO, **WAVES, **PACKED}
