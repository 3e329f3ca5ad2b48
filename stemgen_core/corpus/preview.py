"""A page to look at and listen to a corpus: piano rolls, spectrograms and small sound files of a few pieces."""

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import numpy as np

from stemgen_core.corpus.piece import Piece
from stemgen_core.corpus.report import CorpusReport
from stemgen_core.corpus.storage import Corpus, CorpusPiece
from stemgen_core.drawing import (
    ChordLabel,
    RollLane,
    audio_player,
    page,
    piano_roll_svg,
    spectrogram_png,
    write_listenable,
)
from stemgen_core.errors import InvalidRequestError
from stemgen_core.sound.level import PEAK_CEILING, FloatArray

PITCH_CLASSES = ("C", "D♭", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
_METERS = {4: "4/4", 3: "3/4", 2: "6/8"}


def write_preview(
    corpus: Corpus,
    folder: Path,
    *,
    num_pieces: int = 6,
    report: CorpusReport | None = None,
    report_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a page with a few pieces of a corpus, spread over it, some of them held out.

    Args:
        corpus: where they come from.
        folder: made if it isn't there; `index.html` and sound files are written into it.
        num_pieces: how many at most, 1 or more.
        report: its figures are shown too.
        report_progress: called with the pieces done and wanted.

    Returns:
        The path of the page.

    Raises:
        InvalidRequestError: if the corpus has no finished piece, or `num_pieces` is below 1.
    """
    if num_pieces < 1:
        raise InvalidRequestError(f"A preview shows 1 piece or more, not {num_pieces}.")
    entries = _choose(corpus, num_pieces)
    folder.mkdir(parents=True, exist_ok=True)
    cards = []
    for number, entry in enumerate(entries, start=1):
        cards.append(_card(entry, folder, corpus.sample_rate_hz))
        if report_progress is not None:
            report_progress(number, len(entries))
    intro = (
        f'<p class="faint">{len(corpus.pieces())} pieces, seed {corpus.manifest["seed"]}, generator version '
        f"{corpus.manifest['generator_version']}; from {escape(_sources(corpus))}. "
        "Each row of a roll is a stem; stronger colour is louder.</p>"
    )
    figures = "" if report is None else f'<div class="card"><h2>The whole corpus</h2>{_figures(report)}</div>'
    path = folder / "index.html"
    path.write_text(page("What the model learns from", "\n".join([intro, *cards, figures])), encoding="utf-8")
    return path


def _sources(corpus: Corpus) -> str:
    sources = corpus.manifest.get("sources", [{"kind": "composer"}])
    return ", ".join(f"{source['kind']} {source.get('name', '')}".strip() for source in sources)


def _choose(corpus: Corpus, num_pieces: int) -> list[CorpusPiece]:
    """Return pieces spread over the corpus; a quarter of them, at least one if there is one, held out."""
    held_out, training = corpus.pieces("heldout"), corpus.pieces("train")
    if not held_out and not training:
        raise InvalidRequestError(f"{corpus.folder} has no finished piece to show.")
    num_held_out = min(len(held_out), max(1, num_pieces // 4) if num_pieces > 1 or not training else 0)
    return [*_spread(training, num_pieces - num_held_out), *_spread(held_out, num_held_out)]


def _spread(entries: Sequence[CorpusPiece], number: int) -> list[CorpusPiece]:
    number = min(number, len(entries))
    return [entries[index * len(entries) // number] for index in range(number)]


def describe(piece: Piece) -> str:
    """Return what is known of a piece in one line."""
    words = [piece.genre.replace("_", " ")]
    if piece.tempo_bpm:
        words.append(f"{piece.tempo_bpm:.0f} BPM")
    if piece.beats_per_bar:
        words.append(_METERS.get(piece.beats_per_bar, f"{piece.beats_per_bar} beats a bar"))
    if piece.key_pitch_class is not None:
        words.append(f"{PITCH_CLASSES[piece.key_pitch_class]} {piece.mode or ''}".strip())
    words += [f"to {PITCH_CLASSES[change.key_pitch_class]}" for change in piece.key_changes]
    if piece.start in ("melody", "riff"):
        words.append(f"written from a {piece.start}")
    if piece.source != "composer":
        words.append(f"{piece.source}: {piece.title}")
    return ", ".join(words)


def roll_of(piece: Piece) -> str:
    """Return a piece's piano roll as SVG, stems without notes left out."""
    return piano_roll_svg(
        [RollLane(stem.name, stem.notes, stem.instrument == "drums") for stem in piece.stems if stem.notes],
        duration_s=piece.duration_s,
        chords=[ChordLabel(c.start_s, c.end_s, f"{PITCH_CLASSES[c.root]}{c.quality}") for c in piece.chords],
        beats_s=piece.beat_times_s,
        downbeats_s=piece.downbeat_times_s,
    )


def _card(entry: CorpusPiece, folder: Path, rate_hz: int) -> str:
    piece = entry.piece
    stems = entry.audio.astype(np.float32) / 32_768  # [S, L]
    mix = stems.sum(axis=0)
    name = f"{entry.index:06d}"
    (folder / f"{name}.png").write_bytes(spectrogram_png(mix, rate_hz))
    players = [_player(folder, f"{name}-mix.mp3", mix, rate_hz, "All together")]
    for number, stem in enumerate(piece.stems):
        caption = f"{stem.name} ({stem.style})" if stem.style else stem.name
        players.append(_player(folder, f"{name}-{number}.mp3", stems[number], rate_hz, caption))
    held_out = " · held out" if entry.split == "heldout" else ""
    return (
        f'<div class="card"><h2>{escape(describe(piece))}</h2><p class="faint">Piece {entry.index}{held_out}</p>'
        f'<div class="sounds">{"".join(players)}</div>{roll_of(piece)}'
        f'<img class="spectrogram" src="{name}.png" alt="Spectrogram of the mix, 40 Hz to 14 kHz" loading="lazy"></div>'
    )


def _player(folder: Path, name: str, samples: FloatArray, rate_hz: int, caption: str) -> str:
    peak = float(np.abs(samples).max(initial=0.0))
    write_listenable(folder / name, samples * np.float32(min(1.0, PEAK_CEILING / max(peak, 1e-9))), rate_hz)
    return audio_player(name, caption)


def _figures(report: CorpusReport) -> str:
    rows = [
        ("Pieces like no other", f"{report.num_unlike} of {report.num_pieces}"),
        ("Bass notes on chord tones", f"{report.chord_tones.get('bass', 0):.2f}"),
        ("Lead notes on chord tones", f"{report.chord_tones.get('lead', 0):.2f}"),
        ("Kicks that the bass meets", f"{report.bass_meets_kick:.2f} (chance {report.bass_meets_shifted_kick:.2f})"),
        ("Genres", ", ".join(f"{name} {number}" for name, number in report.genres.items())),
        ("Tempo", ", ".join(f"{name} BPM {number}" for name, number in report.tempos.items())),
        ("Metre", ", ".join(f"{name} {number}" for name, number in report.meters.items())),
        ("Instruments", ", ".join(f"{name} {number}" for name, number in report.instruments.items())),
    ]
    body = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{body}</table>"
