"""A folder of real stems as a source: windows of recordings, with notes only where the collection has them."""

import random
from pathlib import Path
from typing import Any

import numpy as np

from stemgen_core.corpus.piece import Piece, StemScore
from stemgen_core.corpus.sources.midi_folder import licences_in
from stemgen_core.corpus.sources.midi_reading import read_midi
from stemgen_core.corpus.sources.source import (
    CORPUS_SOUND,
    SourcedPiece,
    Split,
    digest_of,
    need_songs,
    split_songs,
    without_copies,
)
from stemgen_core.corpus.sources.stem_layouts import StemFile, StemSong, find_songs
from stemgen_core.errors import AudioFormatError, InvalidRequestError
from stemgen_core.score import Note, crop_notes
from stemgen_core.sound.level import CATEGORY_LEVEL_DB, SILENCE_DB, FloatArray, active_rms_db, scale_to_level
from stemgen_core.types import SoundFormat

STEMS = "stems"  # what a manifest calls such a source
_NUM_TRIES = 6
_AUDIBLE_DB = -55.0
_LEVEL_JITTER_DB = 4.0


class StemFolder:
    """See the module's docstring.

    Args:
        folder: searched with all folders below it.

    Raises:
        InvalidRequestError: if it isn't there or holds no song with two stems.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InvalidRequestError(f"There is no folder {folder} to read stems from.")
        self.folder = folder
        songs, self.num_unusable = find_songs(folder)
        self.songs = without_copies(songs)
        self.num_copies = len(songs) - len(self.songs)
        hint = " (MUSDB18 comes as .stem.mp4 too; use MUSDB18-HQ)" if any(folder.rglob("*.stem.mp4")) else ""
        need_songs(self.songs, f"{folder}: no song there has two stems with telling names{hint}")
        self._parts = split_songs(self.songs)

    def has(self, split: Split) -> bool:
        """Whether there is a song of a split."""
        return bool(self._parts[split])

    def total_s(self) -> float:
        """Return how long all songs last together, seconds.

        Raises:
            AudioFormatError: if a file cannot be read.
        """
        return sum(_length_s(song) for song in self.songs)

    def describe(self) -> dict[str, Any]:
        """Return what the manifest records."""
        return {
            "kind": STEMS,
            "name": self.folder.name,
            "layouts": sorted({song.layout for song in self.songs}),
            "num_songs": len(self.songs),
            "num_copies": self.num_copies,
            "num_unusable": self.num_unusable,
            "num_unknown_stems": sum(song.num_unknown for song in self.songs),
            "digest": digest_of(self.songs),
            "licences": licences_in(self.folder),
        }

    def draw(self, seed: int, split: Split, duration_s: float, sound: SoundFormat = CORPUS_SOUND) -> SourcedPiece:
        """Return a window of a song, with the stems that sound in it; see `PieceSource`.

        Raises:
            AudioFormatError: if a file cannot be read, or fewer than two stems sound in any of the windows tried.
        """
        rng = random.Random(f"{seed}:stems")
        song = rng.choice(self._parts[split])
        length_s = _length_s(song)
        window_s = min(duration_s, length_s)
        best: tuple[list[StemFile], list[FloatArray], float] = ([], [], 0.0)
        for _ in range(_NUM_TRIES):
            start_s = rng.uniform(0, max(0.0, length_s - window_s))
            stems, sounds = _audible(song, start_s, window_s, sound)
            if len(stems) > len(best[0]):
                best = (stems, sounds, start_s)
            if len(stems) == len(song.stems):
                break
        stems, sounds, start_s = best
        if len(stems) < 2:
            raise AudioFormatError(f"Fewer than two stems of {song.title} sound at once in {_NUM_TRIES} windows.")
        levelled = [
            scale_to_level(
                samples,
                sound.sample_rate_hz,
                CATEGORY_LEVEL_DB[stem.instrument] + rng.uniform(-_LEVEL_JITTER_DB, _LEVEL_JITTER_DB),
            )
            for stem, samples in zip(stems, sounds, strict=True)
        ]
        audio = np.stack(levelled).astype(np.float32)  # [S, C, L]
        piece = _describe(song, stems, seed, start_s, audio.shape[2] / sound.sample_rate_hz)
        return SourcedPiece(piece, audio[:, 0] if sound.num_channels == 1 else audio)


def _describe(song: StemSong, stems: list[StemFile], seed: int, start_s: float, duration_s: float) -> Piece:
    counts: dict[str, int] = {}
    scores = []
    for stem in stems:
        number = counts[stem.instrument] = counts.get(stem.instrument, 0) + 1
        name = stem.instrument if number == 1 else f"{stem.instrument}-{number}"
        notes = tuple(_notes(stem, start_s, duration_s))
        scores.append(StemScore(name, stem.instrument, stem.program, notes, stem.name.lower()))
    return Piece(
        seed=seed,
        genre=song.layout,
        tempo_bpm=None,
        beats_per_bar=None,
        key_pitch_class=None,
        mode=None,
        chords=(),
        beat_times_s=(),
        downbeat_times_s=(),
        stems=tuple(scores),
        duration_s=duration_s,
        source="stems",
        title=song.title,
    )


def _notes(stem: StemFile, start_s: float, duration_s: float) -> list[Note]:
    if stem.midi is None:
        return []
    notes = [note for part in read_midi(stem.midi).parts for note in part.notes]
    return crop_notes(notes, start_s, start_s + duration_s)


def _audible(
    song: StemSong, start_s: float, window_s: float, sound: SoundFormat
) -> tuple[list[StemFile], list[FloatArray]]:
    """Return the stems that sound in a window, and their audio, float32 [C, L] each."""
    stems, sounds = [], []
    for stem in song.stems:
        length = round(window_s * sound.sample_rate_hz)
        samples = np.zeros((sound.num_channels, length), np.float32)
        for path in stem.paths:
            part = _read_window(path, start_s, window_s, sound)[:, :length]
            samples[:, : part.shape[1]] += part
        if active_rms_db(samples, sound.sample_rate_hz) > max(_AUDIBLE_DB, SILENCE_DB):
            stems.append(stem)
            sounds.append(samples)
    return stems, sounds


def _length_s(song: StemSong) -> float:
    """Return for how long all stems of a song have sound, seconds."""
    return min(_duration_s(path) for stem in song.stems for path in stem.paths)


def _duration_s(path: Path) -> float:
    import soundfile

    try:
        return soundfile.info(path).duration
    except soundfile.LibsndfileError as error:
        raise AudioFormatError(f"{path} cannot be read: {error}") from error


def _read_window(path: Path, start_s: float, window_s: float, sound: SoundFormat) -> FloatArray:
    """Read part of a file in the corpus's format, float32 [C, L]; what has one channel sounds on all."""
    import soundfile
    import soxr

    try:
        with soundfile.SoundFile(path) as file:
            file.seek(min(file.frames, round(start_s * file.samplerate)))
            samples = file.read(round(window_s * file.samplerate), dtype="float32", always_2d=True)  # [L, C]
            rate_hz = file.samplerate
    except soundfile.LibsndfileError as error:
        raise AudioFormatError(f"{path} cannot be read: {error}") from error
    if samples.shape[1] != sound.num_channels:
        samples = np.repeat(samples.mean(axis=1, keepdims=True), sound.num_channels, axis=1)
    if rate_hz != sound.sample_rate_hz and samples.size:
        samples = soxr.resample(samples, rate_hz, sound.sample_rate_hz)
    return np.nan_to_num(samples.T).astype(np.float32)
