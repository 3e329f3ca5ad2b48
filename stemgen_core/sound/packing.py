"""Making the bundled soundfont: a few presets of a large font, samples compressed."""

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from stemgen_core.errors import MissingDependencyError
from stemgen_core.sound.hydra import Font, Sample, Zone, map_samples, parse_font, subset_font, write_font
from stemgen_core.sound.ogg import with_serial_number
from stemgen_core.sound.programs import DRUM_BANK, SOUNDS

SOURCE_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
LICENCE = "MIT"
LICENCE_FILE = "sounds-LICENSE.txt"  # kept by hand beside the font
COPYRIGHT = "Copyright (c) 2000-2002, 2008 Frank Wen; Copyright (c) 2008 Toby Smithe"
_VORBIS_QUALITY = 0.5
_TRAVEL_QUALITY = 0.2  # FluidR3 in 16 MB: training hears it through rooms, codecs and noise
_CHUNK_FRAMES = 16_384  # libsndfile's Vorbis encoder overflows its stack when handed a long sample at once
_SHORTEST_COMPRESSED_FRAMES = 2_048  # below, Vorbis spends more on its headers than it saves


_GEN_ATTENUATION = 48
# Fonts of this age were made by ear on a card that gave 0.4 dB for each dB of attenuation. FluidSynth imitates it,
# tinysoundfont does as the specification says, so the file says what was meant.
_ATTENUATION_SCALE = 0.4


def scale_attenuation(font: Font, scale: float) -> Font:
    """Return the font with all initial attenuations multiplied."""

    def scaled(zones: tuple[Zone, ...]) -> tuple[Zone, ...]:
        return tuple(
            replace(
                zone,
                generators=tuple(
                    (operator, round(_signed(amount) * scale) & 0xFFFF if operator == _GEN_ATTENUATION else amount)
                    for operator, amount in zone.generators
                ),
            )
            for zone in zones
        )

    return replace(
        font,
        presets=tuple(replace(preset, zones=scaled(preset.zones)) for preset in font.presets),
        instruments=tuple(replace(one, zones=scaled(one.zones)) for one in font.instruments),
    )


def _signed(amount: int) -> int:
    return amount - 0x10000 if amount >= 0x8000 else amount


def compress_sample(sample: Sample, quality: float = _VORBIS_QUALITY) -> Sample:
    """Return the sample as Ogg Vorbis of a quality in 0..1; very short ones and compressed ones unchanged."""
    if sample.is_vorbis or sample.num_frames < _SHORTEST_COMPRESSED_FRAMES:
        return sample
    frames = np.frombuffer(sample.data, "<i2").astype(np.float32) / 32768
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer,
        "w",
        samplerate=sample.sample_rate_hz,
        channels=1,
        format="OGG",
        subtype="VORBIS",
        compression_level=1 - quality,
    ) as file:
        for start in range(0, len(frames), _CHUNK_FRAMES):
            file.write(frames[start : start + _CHUNK_FRAMES])
    return replace(sample, data=with_serial_number(buffer.getvalue(), 0), is_vorbis=True)


def pack_font(source: Path, out_path: Path, *, quality: float = _TRAVEL_QUALITY) -> None:
    """Write the General MIDI presets and drum kits of a font with compressed samples, to be played by FluidSynth.

    Args:
        source: an `.sf2` or `.sf3` file; what is compressed in it stays as it is.
        out_path: ends in `.sf3`.
        quality: of Vorbis, 0..1.

    Raises:
        MissingDependencyError: if `source` is not there.
    """
    if not source.exists():
        raise MissingDependencyError(f"Packing needs the soundfont {source}. Install it with `make corpus-tools`.")
    font = parse_font(source.read_bytes())
    wanted = [(one.bank, one.program) for one in font.presets if one.bank in (0, DRUM_BANK)]
    packed = map_samples(subset_font(font, wanted), lambda sample: compress_sample(sample, quality))
    out_path.write_bytes(write_font(packed))


def build_sounds(sf2_path: Path, out_path: Path) -> None:
    """Write the bundled soundfont and, beside it, a JSON file that says what it is.

    Args:
        sf2_path: FluidR3_GM.sf2.
        out_path: ends in `.sf3`; the description goes to the same name with `.json`.

    Raises:
        MissingDependencyError: if `sf2_path` is not there.
        ValueError: if it is no soundfont or lacks a preset.
    """
    if not sf2_path.exists():
        raise MissingDependencyError(
            f"Making the sounds needs the soundfont {sf2_path}. Install it with `make corpus-tools`."
        )
    source = sf2_path.read_bytes()
    wanted = [(sound.bank, sound.program) for sounds in SOUNDS.values() for sound in sounds]
    font = scale_attenuation(subset_font(parse_font(source), wanted), _ATTENUATION_SCALE)
    packed = write_font(map_samples(font, compress_sample))
    out_path.write_bytes(packed)
    description = {
        "source": "FluidR3_GM.sf2 (Debian package fluid-soundfont-gm)",
        "source_sha256": hashlib.sha256(source).hexdigest(),
        "sha256": hashlib.sha256(packed).hexdigest(),
        "size_bytes": len(packed),
        "licence": LICENCE,
        "licence_file": LICENCE_FILE,
        "copyright": COPYRIGHT,
        "changes": "reduced to the presets below; samples compressed with Ogg Vorbis; attenuations times 0.4",
        "presets": [
            {"bank": preset.bank, "program": preset.program, "name": preset.name.decode("ascii", "replace")}
            for preset in font.presets
        ],
    }
    out_path.with_suffix(".json").write_text(json.dumps(description, indent=1) + "\n")
