"""A quick listening score for training: does what the model writes fit the piece it heard? Notes against the score.

The full evaluation works on audio and lives in `stemgen_core.evaluation`; this one needs no rendering, so that training
can stop by it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stemgen_core.codec.score_codec import score_rules
from stemgen_core.codec.score_tokens import FRAME_RATE_HZ, REST, SCORE_SPEC, decode_notes, levels_used
from stemgen_core.corpus.piece import Piece
from stemgen_core.corpus.storage import CorpusPiece
from stemgen_core.instruments import Instrument, find_instrument
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.sampling.candidates import candidate_rngs, choose_best, draft_candidates
from stemgen_core.sampling.decode import DecodingProgress
from stemgen_core.sampling.judge import ModelJudge
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.score import Note
from stemgen_core.training.examples import ExampleBatch, WindowPlace

HIT_TOLERANCE_S = 0.03


@dataclass(frozen=True, slots=True)
class ListeningScore:
    """Means over generated stems.

    Attributes:
        chord_share: share of the sounding time of pitched stems on tones of the chord, 0..1.
        other_chord_share: the same against the chords of another piece: what chance gives.
        onset_hits: share of the stem's onsets within 30 ms of an onset of some true stem of the piece, 0..1.
        other_onset_hits: the same against another piece: what chance gives.
        note_rate_ratio: generated notes per true note, median.
        note_length_ratio: mean length of the notes of a pitched stem over that of the true one's, median.
        silent_share: share of the stems that never play, 0..1; only the note rate counts them too.
    """

    chord_share: float
    other_chord_share: float
    onset_hits: float
    other_onset_hits: float
    note_rate_ratio: float
    note_length_ratio: float
    silent_share: float

    @property
    def total(self) -> float:
        """One number to stop by: how far above chance harmony and rhythm are together."""
        return (self.chord_share - self.other_chord_share) + (self.onset_hits - self.other_onset_hits)


def score_listening(
    model: StemTransformer, pieces: Sequence[CorpusPiece], batches: Sequence[ExampleBatch], settings: SamplingSettings
) -> ListeningScore:
    """Generate the target of every example from a fully hidden start and compare with the pieces."""

    def write(number: int, item: int) -> list[Note]:
        batch = batches[number]
        return _generate(model, batch, item, target_of(pieces, batch, item), settings, seed=seed_of_item(number, item))

    return score_notes(pieces, batches, write)


def target_of(pieces: Sequence[CorpusPiece], batch: ExampleBatch, item: int) -> Instrument:
    """Return what an example is asked for."""
    place = batch.places[item]
    return find_instrument(pieces[place.piece].piece.stems[place.stem].instrument)


def seed_of_item(number: int, item: int) -> int:
    """Return the seed that an item of a batch is generated with."""
    return 1_000 * number + item


def score_notes(
    pieces: Sequence[CorpusPiece], batches: Sequence[ExampleBatch], write: Callable[[int, int], Sequence[Note]]
) -> ListeningScore:
    """Compare notes with the pieces that they were written for.

    Args:
        pieces: what the batches were cut from.
        batches: the examples.
        write: called with the number of a batch and of an item of it; returns notes, timed from the window's start.
    """
    chord, other_chord, hits, other_hits, ratios, lengths = [], [], [], [], [], []
    for number, batch in enumerate(batches):
        for item, place in enumerate(batch.places):
            piece, instrument = pieces[place.piece].piece, target_of(pieces, batch, item)
            notes = write(number, item)
            start_s, num_frames = place.start_frame / FRAME_RATE_HZ, batch.codes.shape[2]
            other = _place_elsewhere(batch.places, item)
            other_piece = pieces[other.piece].piece
            other_start_s = other.start_frame / FRAME_RATE_HZ
            if notes and not instrument.is_drums and piece.has_harmony:  # of MIDI files the chords are not known
                chord.append(_chord_share(notes, piece, start_s))
            if notes and not instrument.is_drums and other_piece.has_harmony:
                other_chord.append(_chord_share(notes, other_piece, other_start_s))
            if notes:
                hits.append(_onset_hits(notes, piece, start_s))
                other_hits.append(_onset_hits(notes, other_piece, other_start_s))
            true_s = _lengths_s(piece, place.stem, start_s, num_frames / FRAME_RATE_HZ)
            ratios.append(len(notes) / max(1, len(true_s)))
            if notes and true_s and not instrument.is_drums:
                lengths.append(_mean([note.duration_s for note in notes]) / _mean(true_s))
    return ListeningScore(
        chord_share=_mean(chord),
        other_chord_share=_mean(other_chord),
        onset_hits=_mean(hits),
        other_onset_hits=_mean(other_hits),
        note_rate_ratio=float(np.median(ratios)) if ratios else 0.0,
        note_length_ratio=float(np.median(lengths)) if lengths else 0.0,
        silent_share=_mean([float(ratio == 0) for ratio in ratios]),
    )


def _place_elsewhere(places: Sequence[WindowPlace], item: int) -> WindowPlace:
    """Return the next place in another piece: neighbours share a context, so the next one of all may be no control."""
    following = [*places[item + 1 :], *places[:item]]
    return next((place for place in following if place.piece != places[item].piece), places[item])


def _generate(
    model: StemTransformer,
    batch: ExampleBatch,
    item: int,
    instrument: Instrument,
    settings: SamplingSettings,
    seed: int,
) -> list[Note]:
    known = torch.full((1, *batch.codes.shape[1:]), REST)
    for level in levels_used(instrument):
        known[:, level] = SCORE_SPEC.mask_token_id
    rules = score_rules(instrument)
    num_steps = sum(settings.steps_at(index) for index in range(len(rules)))
    progress = DecodingProgress(num_steps)
    context = batch.context[item : item + 1]
    conditions = {name: values[item : item + 1] for name, values in batch.conditions.items()}
    drafts = draft_candidates(
        model,
        context,
        known,
        conditions,
        rules=rules,
        settings=settings,
        rngs=candidate_rngs(seed, settings.num_candidates),
        progress=progress,
    )
    judge = ModelJudge(model, known.shape[2])  # a model in training has no listener beside it
    best = choose_best(judge, context, drafts, conditions, rules=rules, progress=progress)
    return decode_notes(best.codes[0], instrument)


def _chord_share(notes: Sequence[Note], piece: Piece, start_s: float) -> float:
    """Share of the sounding time on chord tones of the moment, 0..1."""
    on_chord = total = 0.0
    for note in notes:
        for chord in piece.chords:
            shared_s = min(note.end_s + start_s, chord.end_s) - max(note.start_s + start_s, chord.start_s)
            if shared_s > 0:
                total += shared_s
                on_chord += shared_s * (note.pitch % 12 in chord.pitch_classes)
    return on_chord / total if total else 0.0


def _onset_hits(notes: Sequence[Note], piece: Piece, start_s: float) -> float:
    """Share of the onsets that some stem of the piece shares, 0..1."""
    onsets = np.array([note.start_s + start_s for note in notes])
    played = np.unique([note.start_s for stem in piece.stems for note in stem.notes])
    nearest = np.abs(onsets[:, None] - played[None, :]).min(1)
    return float((nearest <= HIT_TOLERANCE_S).mean())


def _lengths_s(piece: Piece, stem: int, start_s: float, duration_s: float) -> list[float]:
    """Return how long the notes last that begin in a window, seconds."""
    return [note.duration_s for note in piece.stems[stem].notes if start_s <= note.start_s < start_s + duration_s]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
