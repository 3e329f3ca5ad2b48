"""Which stems a folder of recordings holds: Slakh2100, MUSDB18 (as WAV), MoisesDB, or plain `song/stem.wav`."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from stemgen_core.corpus.sources.source import Song, Split
from stemgen_core.instruments import INSTRUMENTS, instrument_of_program

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")
_MIXES = ("mixture", "mix", "master", "full", "fullmix")
_HASHED_BYTES = 1 << 20
# What stems are called, from the most to the least telling; the first hit wins.
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("vocals", ("vocal", "vocals", "voice", "vox", "singer", "lead_female_singer", "lead_male_singer", "choir_vox")),
    ("drums", ("drum", "drums", "kick", "snare", "hat", "hihat", "cymbal", "cymbals", "toms", "percussion", "beat")),
    ("bass", ("bass", "sub", "contrabass", "double_bass")),
    ("guitar", ("guitar", "guitars", "gtr", "acoustic_guitar", "electric_guitar")),
    ("organ", ("organ", "hammond", "accordion", "harmonica")),
    ("mallets", ("vibraphone", "marimba", "xylophone", "glockenspiel", "bells", "mallet", "mallets", "celesta")),
    ("piano", ("piano", "keys", "keyboard", "rhodes", "wurlitzer", "epiano", "clav")),
    ("synth_pad", ("pad", "pads")),
    ("synth_lead", ("synth", "synthesizer", "lead", "arp")),
    ("strings", ("violin", "viola", "cello", "fiddle", "harp", "solo_strings")),
    ("ensemble", ("strings", "string", "choir", "orchestra", "ensemble", "bowed_strings")),
    ("brass", ("brass", "trumpet", "trombone", "horn", "horns", "tuba")),
    ("reed", ("sax", "saxophone", "clarinet", "oboe", "bassoon", "reed", "wind")),
    ("pipe", ("flute", "recorder", "whistle", "pipe", "ocarina")),
    ("ethnic", ("banjo", "sitar", "koto", "shamisen", "kalimba", "ukulele", "mandolin", "oud")),
)


@dataclass(frozen=True, slots=True)
class StemFile:
    """One stem of a song.

    Attributes:
        name: what the collection calls it.
        instrument: a name of `stemgen_core.instruments`.
        program: General MIDI program where the collection says it; otherwise the first of the family.
        paths: audio files that make it up together.
        midi: its notes, where the collection has them.
    """

    name: str
    instrument: str
    program: int
    paths: tuple[Path, ...]
    midi: Path | None = None


@dataclass(frozen=True)
class StemSong(Song):
    """A song with two stems or more.

    Attributes:
        layout: "slakh", "musdb", "moises" or "plain".
        stems: sorted by name.
        num_unknown: stems left out because their names say no category.
    """

    layout: str = "plain"
    stems: tuple[StemFile, ...] = ()
    num_unknown: int = 0


def instrument_of_name(name: str) -> str | None:
    """Return the category that a stem's name tells; None if it tells none ("other", "fx")."""
    words = re.findall(r"[a-z]+", name.lower())
    phrase = "_".join(words)
    if phrase in {instrument.name for instrument in INSTRUMENTS}:
        return phrase
    for instrument, known in _WORDS:
        if any(word in known for word in words) or any(many in phrase for many in known if "_" in many):
            return instrument
    return None


def find_songs(folder: Path) -> tuple[list[StemSong], int]:
    """Return the songs below a folder, and how many folders of stems were of no use."""
    songs, num_unusable = [], 0
    for place in sorted([folder, *(path for path in folder.rglob("*") if path.is_dir())]):
        found = _read_place(place, folder)
        if found is None:
            continue
        if len(found.stems) >= 2:
            songs.append(found)
        else:
            num_unusable += 1
    return songs, num_unusable


def _read_place(place: Path, folder: Path) -> StemSong | None:
    """Return the song that a folder is; None if it is none."""
    if (place / "metadata.yaml").exists() and (place / "stems").is_dir():
        layout, stems = "slakh", _slakh_stems(place)
    elif (place / "data.json").exists():
        layout, stems = "moises", _moises_stems(place)
    elif _is_inside_song(place, folder):
        return None
    else:
        files = [path for path in sorted(place.iterdir()) if path.suffix.lower() in AUDIO_SUFFIXES]
        if len(files) < 2:
            return None
        layout = "musdb" if {"drums", "bass", "other", "vocals"} <= {path.stem.lower() for path in files} else "plain"
        stems = [_named(path.stem, (path,)) for path in files if path.stem.lower() not in _MIXES]
    known = tuple(stem for stem in stems if stem is not None)
    title = str(place.relative_to(folder)) if place != folder else place.name
    split = None if layout == "plain" else _official_split(place, folder)
    return StemSong(title, _hash(known), split, layout, known, len(stems) - len(known))


def _is_inside_song(place: Path, folder: Path) -> bool:
    """Whether a folder belongs to a Slakh or MoisesDB song above it."""
    while place != folder:
        place = place.parent
        if (place / "metadata.yaml").exists() or (place / "data.json").exists():
            return True
    return False


def _official_split(place: Path, folder: Path) -> Split | None:
    """Return the split of the collection's own folders; the test part is held out."""
    parts = {part.lower() for part in place.relative_to(folder).parts[:-1]} | {folder.name.lower()}
    if parts & {"test", "validation", "valid"}:
        return "heldout"
    return "train" if "train" in parts else None


def _named(name: str, paths: tuple[Path, ...]) -> StemFile | None:
    instrument = instrument_of_name(name)
    if instrument is None:
        return None
    programs = next(one.programs for one in INSTRUMENTS if one.name == instrument)
    return StemFile(name, instrument, programs[0] if programs else 0, paths)


def _slakh_stems(place: Path) -> list[StemFile | None]:
    """Read Slakh's metadata: program and rendering of each stem, beside it the MIDI it was rendered from."""
    import yaml

    data = yaml.safe_load((place / "metadata.yaml").read_text(encoding="utf-8"))
    stems: list[StemFile | None] = []
    for key, facts in sorted(data.get("stems", {}).items()):
        paths = [place / "stems" / f"{key}{suffix}" for suffix in AUDIO_SUFFIXES]
        path = next((path for path in paths if path.exists()), None)
        if path is None:
            continue
        program = min(127, max(0, int(facts.get("program_num", 0))))
        instrument = "drums" if facts.get("is_drum") else instrument_of_program(program).name
        midi = place / "MIDI" / f"{key}.mid"
        stems.append(StemFile(key, instrument, program, (path,), midi if midi.exists() else None))
    return stems


def _moises_stems(place: Path) -> list[StemFile | None]:
    """Read MoisesDB's data.json: stems made up of tracks, each a file named by its id."""
    data = json.loads((place / "data.json").read_text(encoding="utf-8"))
    stems: list[StemFile | None] = []
    for stem in data.get("stems", []):
        name = str(stem.get("stemName", ""))
        paths = []
        for track in stem.get("tracks", []):
            extension = str(track.get("extension", "wav")).lstrip(".")
            path = place / name / f"{track.get('id')}.{extension}"
            if path.exists():
                paths.append(path)
        if paths:
            stems.append(_named(name, tuple(paths)))
    return stems


def _hash(stems: tuple[StemFile, ...]) -> str:
    """Return a digest of sizes and beginnings of the stems' files, whatever they are called."""
    digests = []
    for stem in stems:
        for path in stem.paths:
            with path.open("rb") as file:
                digests.append(hashlib.sha256(f"{path.stat().st_size}".encode() + file.read(_HASHED_BYTES)).hexdigest())
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()[:24]
