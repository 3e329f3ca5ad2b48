"""A corpus on disk: a manifest, and for each piece its score and its stems' audio.

Layout (docs/decisions/0003-corpus-storage.md):

    manifest.json            format, generator version, seed, counts, rates, sources and their licences
    pieces/000123.json       the piece
    pieces/000123.npy        int16 [S, L], or [S, C, L] of several channels; memory-mappable, stems in the piece's order
"""

import json
import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stemgen_core.corpus.arrangement import GENERATOR_VERSION
from stemgen_core.corpus.piece import Piece, piece_from_json, piece_to_json
from stemgen_core.corpus.render import render_piece
from stemgen_core.corpus.sources.mixing import COMPOSER_ONLY, MixedSource
from stemgen_core.corpus.sources.source import CORPUS_SOUND, Split
from stemgen_core.errors import InvalidRequestError
from stemgen_core.types import SoundFormat

FORMAT_VERSION, FORMAT_VERSION_OF_CHANNELS = 2, 3  # more channels than one are what older versions can't read
READABLE_VERSIONS = (1, 2, 3)  # 1 knew the composer alone
HELDOUT_EVERY = 20
MIN_SECONDS = 1.0
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 96_000

_MANIFEST = "manifest.json"


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return what a corpus says of itself; None where there is no corpus."""
    path = folder / _MANIFEST
    return json.loads(path.read_text()) if path.exists() else None


def split_of(index: int) -> Split:
    """Return the split of a piece: every 20th is held out, whatever the size of the corpus.

    Sources that have songs keep those of one split out of the other.
    """
    return "heldout" if index % HELDOUT_EVERY == HELDOUT_EVERY - 1 else "train"


def seed_of(corpus_seed: int, index: int) -> int:
    """Return the seed of a piece; corpora of different seeds share no piece."""
    return corpus_seed * 1_000_003 + index


@dataclass(frozen=True)
class CorpusPiece:
    """A piece on disk; score and audio are read when asked for.

    Attributes:
        index: number in the corpus.
        folder: where its files are.
    """

    index: int
    folder: Path

    @property
    def split(self) -> Split:
        """Which split the piece belongs to."""
        return split_of(self.index)

    @cached_property
    def piece(self) -> Piece:
        """The score."""
        return piece_from_json(json.loads(_score_path(self.folder, self.index).read_text()))

    @cached_property
    def channels(self) -> npt.NDArray[np.int16]:
        """Stems, int16 [S, C, L] at the corpus's rate, memory-mapped."""
        audio = np.load(_audio_path(self.folder, self.index), mmap_mode="r")
        return audio[:, None] if audio.ndim == 2 else audio

    @cached_property
    def audio(self) -> npt.NDArray[np.int16]:
        """Stems in mono, int16 [S, L] at the corpus's rate; memory-mapped where the corpus is mono."""
        channels = self.channels
        return channels[:, 0] if channels.shape[1] == 1 else np.round(channels.mean(1)).astype(np.int16)


@dataclass(frozen=True)
class Corpus:
    """An opened corpus folder.

    Attributes:
        folder: where it is.
        manifest: what `manifest.json` says.
    """

    folder: Path
    manifest: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> "Corpus":
        """Open a corpus, finished or still growing.

        Raises:
            InvalidRequestError: if the folder is no corpus or of another format.
        """
        path = folder / _MANIFEST
        if not path.exists():
            raise InvalidRequestError(
                f"{folder} is no corpus: it has no {_MANIFEST}. Make one with `stemgen synthesize`."
            )
        manifest = json.loads(path.read_text())
        if manifest["format_version"] not in READABLE_VERSIONS:
            readable = " and ".join(map(str, READABLE_VERSIONS))
            raise InvalidRequestError(
                f"{folder} has corpus format {manifest['format_version']}, this version reads {readable}."
                " Make it again with `stemgen synthesize`."
            )
        return cls(folder, manifest)

    @property
    def sample_rate_hz(self) -> int:
        """Audio samples per second."""
        return self.manifest["sample_rate_hz"]

    @property
    def sound(self) -> SoundFormat:
        """Rate and channels."""
        return SoundFormat(self.sample_rate_hz, self.manifest.get("num_channels", 1))

    def pieces(self, split: Split | None = None) -> list[CorpusPiece]:
        """Return the finished pieces of a split, or all, by index."""
        indices = range(self.manifest["num_pieces"])
        return [
            CorpusPiece(index, self.folder)
            for index in indices
            if (split is None or split_of(index) == split) and _is_finished(self.folder, index)
        ]


def _score_path(folder: Path, index: int) -> Path:
    return folder / "pieces" / f"{index:06d}.json"


def _audio_path(folder: Path, index: int) -> Path:
    return folder / "pieces" / f"{index:06d}.npy"


def _is_finished(folder: Path, index: int) -> bool:
    """Whether a piece is whole; the score is written last."""
    return _score_path(folder, index).exists()


@dataclass(frozen=True, slots=True)
class _Task:
    folder: Path
    index: int
    seed: int
    duration_s: float
    sources: tuple[str, ...]
    sound: SoundFormat


@cache
def _sources(texts: tuple[str, ...]) -> MixedSource:
    """Open sources once per process."""
    return MixedSource(texts)


def _make_piece(task: _Task) -> int:
    """Draw, render and write one piece; returns its index."""
    split = split_of(task.index)
    sourced = _sources(task.sources).draw(task.seed, split, task.duration_s, task.sound)
    piece, audio = sourced.piece, sourced.audio
    if audio is None:
        audio = render_piece(piece, is_heldout=split == "heldout", sound=task.sound)
    pcm = np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16)
    audio_path, score_path = _audio_path(task.folder, task.index), _score_path(task.folder, task.index)
    part = audio_path.with_suffix(f".part{os.getpid()}")
    with part.open("wb") as file:
        np.save(file, pcm)
    part.rename(audio_path)
    part.write_text(json.dumps(piece_to_json(piece), separators=(",", ":")))
    part.rename(score_path)
    return task.index


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest; a corpus may grow by pieces but never change its seed or kind."""
    path = folder / _MANIFEST
    if path.exists():
        existing = json.loads(path.read_text())
        different = [name for name in manifest if name != "num_pieces" and existing.get(name) != manifest[name]]
        if different:
            raise InvalidRequestError(
                f"{folder} holds another corpus ({', '.join(different)} differ). Choose another folder or delete it."
            )
        manifest = {**manifest, "num_pieces": max(manifest["num_pieces"], existing["num_pieces"])}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(manifest, indent=1))
    part.rename(path)


def synthesize_corpus(
    folder: Path,
    *,
    num_pieces: int,
    seed: int,
    duration_s: float = 24.0,
    num_processes: int = 1,
    sources: Sequence[str] = COMPOSER_ONLY,
    sound: SoundFormat = CORPUS_SOUND,
    report_progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    """Make a corpus, or finish one that was begun with the same arguments.

    Args:
        folder: made if it isn't there.
        num_pieces: how many in all; a corpus may be enlarged later.
        seed: which corpus.
        duration_s: length of each piece, at least 1 s.
        num_processes: 1 renders in this process.
        sources: as `sources.mixing.parse_source` reads them.
        sound: rate and channels of all stems.
        report_progress: called with finished and wanted pieces after each.

    Raises:
        InvalidRequestError: if an argument is out of range, a source is of no use or the folder holds another corpus.
        MissingDependencyError: if FluidSynth, a font, pedalboard or a source's program is not there.
    """
    _check_size(num_pieces, num_processes, duration_s)
    _check_sound(sound)
    mixed = _sources(tuple(sources))
    (folder / "pieces").mkdir(parents=True, exist_ok=True)
    manifest = {
        "format_version": FORMAT_VERSION if sound.num_channels == 1 else FORMAT_VERSION_OF_CHANNELS,
        "generator_version": GENERATOR_VERSION,
        "seed": seed,
        "num_pieces": num_pieces,
        "duration_s": duration_s,
        "sample_rate_hz": sound.sample_rate_hz,
        "heldout_every": HELDOUT_EVERY,
        "sources": mixed.describe(),
    } | ({} if sound.num_channels == 1 else {"num_channels": sound.num_channels})
    _write_manifest(folder, manifest)
    tasks = [
        _Task(folder, index, seed_of(seed, index), duration_s, tuple(sources), sound)
        for index in range(num_pieces)
        if not _is_finished(folder, index)
    ]
    num_done = num_pieces - len(tasks)
    if report_progress is not None:
        report_progress(num_done, num_pieces)
    if num_processes == 1:
        results = map(_make_piece, tasks)
        _drain(results, num_done, num_pieces, report_progress)
    else:
        # Spawned, not forked: a forked child would share the parent's synth and its threads.
        with multiprocessing.get_context("spawn").Pool(num_processes) as pool:
            _drain(pool.imap_unordered(_make_piece, tasks), num_done, num_pieces, report_progress)
    return Corpus.open(folder)


def _check_size(num_pieces: int, num_processes: int, duration_s: float) -> None:
    if num_pieces < 1 or num_processes < 1 or duration_s < MIN_SECONDS:
        raise InvalidRequestError(
            f"A corpus needs 1 piece, 1 process and {MIN_SECONDS:g} s or more,"
            f" got {num_pieces}, {num_processes} and {duration_s:g}."
        )


def _check_sound(sound: SoundFormat) -> None:
    if sound.num_channels not in (1, 2) or not MIN_RATE_HZ <= sound.sample_rate_hz <= MAX_RATE_HZ:
        raise InvalidRequestError(f"A corpus is mono or stereo at {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz, not {sound}.")


def _drain(results: Any, num_done: int, num_pieces: int, report_progress: Callable[[int, int], None] | None) -> None:
    for number, _ in enumerate(results, start=num_done + 1):
        if report_progress is not None:
            report_progress(number, num_pieces)
