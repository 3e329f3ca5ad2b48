"""Layering: four stems one after another, each made for the mix of all before. Does the model still listen to itself?

Conventions: a piece starts with one of its own stems; the instruments that follow are those of its other stems in drawn
order. Beside what is generated stand the piece's true stems, layered in the same order (true pairs), and another
piece's true stem of the same turn (random pairs).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stemgen_core.audio import mix_waveforms, to_mono
from stemgen_core.corpus.storage import CorpusPiece
from stemgen_core.errors import InvalidRequestError
from stemgen_core.evaluation.controls import Interval, mean_interval
from stemgen_core.evaluation.experiments.bench import Bench, Report
from stemgen_core.evaluation.hearing import hear
from stemgen_core.evaluation.held_out import MIN_NOTES, MIN_RMS
from stemgen_core.evaluation.items import EvaluationItem, PieceFacts, facts_of_window
from stemgen_core.evaluation.report import EvaluationReport, HeardItem, evaluate_heard
from stemgen_core.evaluation.tables import Cell, Table, score_cells
from stemgen_core.generator import GenerationRequest
from stemgen_core.score import Note, crop_notes
from stemgen_core.types import Waveform

NUM_TURNS = 4
SCORES = ("beat_f1", "onset_agreement", "grid_agreement", "chroma_contrast", "chord_energy")
_NO_AUDIO = Waveform(torch.zeros(1, 0), 1)


@dataclass(frozen=True, slots=True)
class Start:
    """What a layering begins with.

    Attributes:
        piece: identifies the piece.
        start: its first stem.
        instruments: of the turns.
        true_stems: of the turns.
        true_notes: of the turns.
        facts: of the window.
        seed: of the first turn; the others count on.
    """

    piece: str
    start: Waveform
    instruments: tuple[str, ...]
    true_stems: tuple[Waveform, ...]
    true_notes: tuple[tuple[Note, ...], ...]
    facts: PieceFacts
    seed: int


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of one layering.

    Attributes:
        heard: for the scores.
        level_db: of the generated stem relative to the start's, dB; None where it is silent.
        true_level_db: the same of the true stem.
        silent_share: of the generated stem, 0..1.
        is_silent: whether the generated stem has no sound.
    """

    heard: HeardItem
    level_db: float | None
    true_level_db: float | None
    silent_share: float
    is_silent: bool


def draw_start(entry: CorpusPiece, offered: Sequence[str], window_s: float, seed: int) -> Start | None:
    """Cut a window in which a stem and four others that the model can play sound.

    Returns:
        None where there are too few or the piece is shorter.
    """
    piece, rng = entry.piece, np.random.default_rng([seed, entry.index])
    rate_hz = round(entry.audio.shape[1] / piece.duration_s)
    length = round(window_s * rate_hz)
    if entry.audio.shape[1] < length:
        return None
    first = int(rng.integers(entry.audio.shape[1] - length + 1))
    window = entry.audio[:, first : first + length].astype(np.float32) / 32_768  # [S, L]
    start_s, end_s = first / rate_hz, (first + length) / rate_hz
    notes = [tuple(crop_notes(stem.notes, start_s, end_s)) for stem in piece.stems]
    loudness = np.sqrt(np.square(window).mean(1))
    playing = [s for s, found in enumerate(notes) if len(found) >= MIN_NOTES and loudness[s] >= MIN_RMS]
    order = rng.permutation(playing).tolist()
    turns = [s for s in order[1:] if piece.stems[s].instrument in offered][:NUM_TURNS]
    if len(turns) < NUM_TURNS:
        return None
    waveforms = [Waveform(torch.from_numpy(window[s : s + 1].copy()), rate_hz) for s in (order[0], *turns)]
    return Start(
        piece=str(entry.index),
        start=waveforms[0],
        instruments=tuple(piece.stems[s].instrument for s in turns),
        true_stems=tuple(waveforms[1:]),
        true_notes=tuple(notes[s] for s in turns),
        facts=facts_of_window(piece, start_s, end_s),
        seed=seed + 100 * entry.index,
    )


def build_up(bench: Bench, start: Start) -> list[Turn]:
    """Generate turn after turn, each for the mix of the start and everything generated before."""
    mix, true_mix = start.start, start.start
    base_db = hear(start.start).level.active_rms_dbfs
    turns = []
    parts = zip(start.instruments, start.true_stems, start.true_notes, strict=True)
    for number, (instrument, true_stem, true_notes) in enumerate(parts):
        request = GenerationRequest(instrument, start.seed + number, bench.plan.settings)
        result = bench.generator.generate(mix, request)
        stem = to_mono(result.stem)
        generated, true = hear(stem), hear(true_stem)
        item = EvaluationItem(
            piece=start.piece,
            instrument=instrument,
            context=_NO_AUDIO,
            true_stem=_NO_AUDIO,
            facts=start.facts,
            true_notes=true_notes,
            generated_notes=result.notes,
            seed=request.seed,
        )
        turns.append(
            Turn(
                heard=HeardItem(item, hear(true_mix), true, generated, hear(mix)),
                level_db=None if generated.level.is_silent else generated.level.active_rms_dbfs - base_db,
                true_level_db=None if true.level.is_silent else true.level.active_rms_dbfs - base_db,
                silent_share=generated.level.silent_share,
                is_silent=generated.level.is_silent,
            )
        )
        mix, true_mix = mix_waveforms([mix, stem]), mix_waveforms([true_mix, true_stem])
    return turns


def run(bench: Bench, report: Report) -> list[Table]:
    """Build up pieces over four turns and measure every turn.

    Raises:
        InvalidRequestError: if fewer than two held-out pieces have stems enough.
    """
    plan, starts = bench.plan, []
    for entry in bench.held_out:
        if len(starts) < plan.size.layerings:
            drawn = draw_start(entry, bench.offered, plan.window_s, plan.seed)
            starts += [] if drawn is None else [drawn]
    if len(starts) < 2:
        raise InvalidRequestError(
            f"Layering needs two held-out pieces where {NUM_TURNS + 1} stems play at once, the corpus has"
            f" {len(starts)}. Make it larger with `stemgen synthesize`."
        )
    layered = []
    for number, start in enumerate(starts):
        layered.append(build_up(bench, start))
        report(number + 1, len(starts))
    by_turn = [[turns[number] for turns in layered] for number in range(NUM_TURNS)]
    reports = [evaluate_heard([turn.heard for turn in turns], plan.seed) for turns in by_turn]
    return [_score_table(reports, len(starts)), _level_table(by_turn, reports)]


def _score_table(reports: Sequence[EvaluationReport], count: int) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for number, report in enumerate(reports, start=1):
        rows += [(number, name, *score_cells(report.rows[name])) for name in SCORES]
    return Table(
        "layering",
        f"Layering, {NUM_TURNS} turns deep: does it still listen?",
        f"{count} held-out pieces, begun with one of their stems; every turn hears the mix of all turns before. Random"
        " pairs: another piece's true stem of the same turn with the true mix. True pairs: the piece's own stems,"
        " layered in the same order.",
        ("turn", "score", "random pairs", "generated", "true pairs", "position"),
        tuple(rows),
    )


def _level_table(by_turn: Sequence[Sequence[Turn]], reports: Sequence[EvaluationReport]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for number, (turns, report) in enumerate(zip(by_turn, reports, strict=True), start=1):
        levels = _mean([turn.level_db for turn in turns])
        true_levels = _mean([turn.true_level_db for turn in turns])
        placed = [row.position.mean for name in SCORES if (row := report.rows[name]).position is not None]
        rows.append(
            (
                number,
                levels,
                true_levels,
                _mean([float(turn.is_silent) for turn in turns]),
                _mean([turn.silent_share for turn in turns]),
                float(np.mean(placed)) if placed else None,
            )
        )
    return Table(
        "layering_level",
        f"Layering, {NUM_TURNS} turns deep: level and silence",
        "Level while it sounds, dB relative to the stem that the piece began with; *position* is the mean over the"
        " scores above. No collapse: level within 6 dB of the true stems', silent stems under 5 %, position above 0.5.",
        ("turn", "level", "true stems' level", "silent stems", "silent share of time", "position"),
        tuple(rows),
    )


def _mean(values: Sequence[float | None]) -> Interval:
    return mean_interval(np.array([np.nan if value is None else value for value in values], np.float64))
