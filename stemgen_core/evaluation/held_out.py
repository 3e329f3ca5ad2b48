"""What a model makes of held-out pieces, from a fully hidden start."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from stemgen_core.corpus.storage import CorpusPiece
from stemgen_core.errors import InvalidRequestError
from stemgen_core.evaluation.items import EvaluationItem, facts_of_window
from stemgen_core.generator import GenerationRequest, StemGenerator
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.score import crop_notes
from stemgen_core.types import Waveform

MIN_NOTES = 4  # of the target in the window
MIN_RMS = 0.003  # -50 dBFS


def held_out_items(
    generator: StemGenerator,
    pieces: Sequence[CorpusPiece],
    *,
    num_items: int,
    window_s: float,
    settings: SamplingSettings,
    seed: int,
    report_progress: Callable[[int, int], None] | None = None,
) -> Iterator[EvaluationItem]:
    """Yield windows of pieces with the stem that belongs there and the one that the model makes.

    Window, heard stems and target are drawn as in training, with nothing roughened; targets are instruments that the
    model offers.

    Args:
        generator: the model.
        pieces: of the held-out split.
        num_items: how many to yield, piece after piece.
        window_s: length of each, seconds.
        settings: how to decode.
        seed: of the choice of windows and of the variations.
        report_progress: called with the items done and wanted.

    Raises:
        InvalidRequestError: if there are no pieces, or too few windows in them where two stems play.
    """
    offered = {instrument.name for instrument in generator.instruments}
    windows = held_out_windows(pieces, offered, num_items=num_items, window_s=window_s, seed=seed)
    for number, item in enumerate(windows):
        result = generator.generate(item.context, GenerationRequest(item.instrument, item.seed, settings))
        if report_progress is not None:
            report_progress(number + 1, num_items)
        yield replace(item, generated_stem=result.stem, generated_notes=result.notes)


def held_out_windows(
    pieces: Sequence[CorpusPiece], instruments: Collection[str], *, num_items: int, window_s: float, seed: int
) -> Iterator[EvaluationItem]:
    """Yield windows of pieces with the stem that belongs there, nothing generated.

    Args:
        pieces: of the held-out split.
        instruments: the targets to choose from.
        num_items: how many to yield, piece after piece.
        window_s: length of each, seconds.
        seed: of the choice; each item has a seed of its own that follows from it.

    Raises:
        InvalidRequestError: if there are no pieces, or too few windows in them where two stems play.
    """
    if not pieces:
        raise InvalidRequestError("The corpus has no finished held-out piece (every 20th is one). Make it larger.")
    rng = np.random.default_rng(seed)
    num_done = 0
    for number in range(20 * num_items):
        if num_done == num_items:
            return
        item = _draw_item(pieces[number % len(pieces)], set(instruments), window_s, rng)
        if item is not None:
            num_done += 1
            yield replace(item, seed=seed + number)
    if num_done < num_items:
        raise InvalidRequestError(
            f"Only {num_done} of {num_items} windows of {window_s:g} s were found in which two stems play. Make the"
            " corpus larger, its pieces longer, or the windows shorter."
        )


def _draw_item(
    entry: CorpusPiece, offered: set[str], window_s: float, rng: np.random.Generator
) -> EvaluationItem | None:
    """Cut a window with a target and a context, or return None where too little plays or the piece is too short."""
    piece, rate_hz = entry.piece, round(entry.audio.shape[1] / entry.piece.duration_s)
    length = round(window_s * rate_hz)
    if entry.audio.shape[1] < length:
        return None
    start = int(rng.integers(entry.audio.shape[1] - length + 1))
    window = entry.audio[:, start : start + length].astype(np.float32) / 32_768  # [S, L]
    start_s, end_s = start / rate_hz, (start + length) / rate_hz
    notes = [crop_notes(stem.notes, start_s, end_s) for stem in piece.stems]
    loudness = np.sqrt(np.square(window).mean(1))
    playing = [s for s, found in enumerate(notes) if len(found) >= MIN_NOTES and loudness[s] >= MIN_RMS]
    targets = [s for s in playing if piece.stems[s].instrument in offered]
    if len(playing) < 2 or not targets:
        return None
    target = int(rng.choice(targets))
    others = [s for s in playing if s != target]
    heard = rng.choice(others, size=int(rng.integers(1, len(others) + 1)), replace=False)
    context = window[heard].sum(0, keepdims=True)
    return EvaluationItem(
        piece=str(entry.index),
        instrument=piece.stems[target].instrument,
        context=Waveform(torch.from_numpy(context), rate_hz),
        true_stem=Waveform(torch.from_numpy(window[target : target + 1]), rate_hz),
        facts=facts_of_window(piece, start_s, end_s) if piece.has_harmony else None,
        true_notes=tuple(notes[target]),
    )
