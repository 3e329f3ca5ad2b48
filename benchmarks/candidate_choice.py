"""Compare scores that choose among candidates: every window is drafted several times, once for all of them.

    .venv/bin/python -m benchmarks.candidate_choice CORPUS [--listener FILE] [--preset balanced] [--drafts 4]

Each line keeps one draft per window: the first, the one that a score prefers of the first two or of all, and the one
that the columns themselves prefer, which no score can beat. No score is among the columns; the windows are those of
`benchmarks.preset_choice`.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.preset_choice import CANDIDATES, draw_batches
from stemgen_core.checkpoint import SHIPPED_BUNDLE_PATH, load_bundle
from stemgen_core.codec.score_codec import score_rules
from stemgen_core.codec.score_roll import score_roll
from stemgen_core.codec.score_tokens import REST, SCORE_SPEC, decode_notes, levels_used
from stemgen_core.corpus.storage import Corpus, CorpusPiece
from stemgen_core.model.listener import ContrastiveListener
from stemgen_core.model.precision import gains_by_bfloat16, halve_blocks
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.sampling.candidates import candidate_rngs
from stemgen_core.sampling.decode import DecodingProgress, decode_codes
from stemgen_core.sampling.drafts import sounding_share
from stemgen_core.sampling.listening_score import listening_score
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.training.examples import ExampleBatch
from stemgen_core.training.listening import score_notes, seed_of_item, target_of

Drafts = dict[tuple[int, int], torch.Tensor]  # batch and item -> int64 [drafts, K, T]
Scores = dict[tuple[int, int], list[float]]


def draft_all(
    model: StemTransformer,
    pieces: list[CorpusPiece],
    batches: list[ExampleBatch],
    settings: SamplingSettings,
    count: int,
) -> Drafts:
    """Draft every item; the first draft is what one candidate gives."""
    drafts: Drafts = {}
    for number, batch in enumerate(batches):
        for item in range(len(batch.places)):
            instrument = target_of(pieces, batch, item)
            rules = score_rules(instrument)
            known = torch.full((count, *batch.codes.shape[1:]), REST)
            known[:, list(levels_used(instrument))] = SCORE_SPEC.mask_token_id
            drafts[number, item] = decode_codes(
                model,
                batch.context[item : item + 1].repeat(count, 1, 1),
                known,
                {
                    name: values[item : item + 1].repeat_interleave(count, 0)
                    for name, values in batch.conditions.items()
                },
                rules=rules,
                settings=settings,
                rngs=candidate_rngs(seed_of_item(number, item), count),
                progress=DecodingProgress(sum(settings.steps_at(index) for index in range(len(rules)))),
            )
    return drafts


def score_all(drafts: Drafts, score: Callable[[int, int, torch.Tensor], float]) -> tuple[Scores, float]:
    """Score every draft; returns scores and seconds of processor time per draft."""
    started = time.process_time()
    scores = {place: [score(*place, draft) for draft in each.split(1)] for place, each in drafts.items()}
    return scores, (time.process_time() - started) / sum(map(len, scores.values()))


def main() -> None:
    """Print one line per way to choose."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--bundle", type=Path, default=SHIPPED_BUNDLE_PATH)
    parser.add_argument("--listener", type=Path, help="file of `stemgen train listener`")
    parser.add_argument("--preset", choices=("fast", "balanced"), default="balanced")
    parser.add_argument("--drafts", type=int, default=4)
    parser.add_argument("--batches", type=int, default=2, help="of 16 windows")
    parsed = parser.parse_args()
    torch.set_num_threads(1)
    bundle = load_bundle(parsed.bundle)
    pieces = Corpus.open(parsed.corpus).pieces("heldout")
    batches = draw_batches(pieces, bundle.manifest.window_frames, parsed.batches)
    if gains_by_bfloat16():  # as the generator does
        halve_blocks(bundle.model)
    started = time.process_time()
    drafts = draft_all(bundle.model, pieces, batches, CANDIDATES[parsed.preset], parsed.drafts)
    seconds = (time.process_time() - started) / len(drafts)
    print(f"{len(drafts)} windows, {parsed.drafts} drafts each: {seconds:.1f} s of processor time per window")

    def by_model(number: int, item: int, draft: torch.Tensor) -> float:
        rules = score_rules(target_of(pieces, batches[number], item))
        if not sounding_share(draft, rules, frame_rate_hz=1):
            return -torch.inf
        context = batches[number].context[item : item + 1]
        conditions = {"instrument": batches[number].conditions["instrument"][item : item + 1]}
        window = draft.shape[2]
        return listening_score(bundle.model, context, draft, conditions, rules=rules, window_frames=window)

    choosers = {"listening score": by_model}
    if parsed.listener is not None:
        listener = ContrastiveListener.load(parsed.listener)

        def by_listener(number: int, item: int, draft: torch.Tensor) -> float:
            if not sounding_share(draft, score_rules(target_of(pieces, batches[number], item)), frame_rate_hz=1):
                return -torch.inf
            return float(listener.score(batches[number].context[item : item + 1], score_roll(draft)))

        choosers["listener"] = by_listener
    print(f"{'chosen by':30} chords (chance)  onsets (chance)  notes per true  silent")
    print_line("the first", pieces, batches, drafts, lambda _place: 0)
    for name, score in choosers.items():
        scores, each = score_all(drafts, score)
        for count in sorted({2, parsed.drafts}):
            print_line(f"{name}, of {count}", pieces, batches, drafts, best_of(scores, count))
        print(f"{'':30} {each:.3f} s of processor time per score")
    print_line("the columns themselves", pieces, batches, drafts, best_of(measured(pieces, batches, drafts), 99))


def best_of(scores: Scores, count: int) -> Callable[[tuple[int, int]], int]:
    """Return a choice: the first of the highest scores among the first drafts."""
    return lambda place: max(range(min(count, len(scores[place]))), key=lambda number: scores[place][number])


def measured(pieces: list[CorpusPiece], batches: list[ExampleBatch], drafts: Drafts) -> Scores:
    """Return what the columns say of each draft alone: chord tones and onsets together."""
    found: Scores = {}
    for (number, item), each in drafts.items():
        batch, instrument = batches[number], target_of(pieces, batches[number], item)
        alone = ExampleBatch(
            batch.context[item : item + 1],
            batch.codes[item : item + 1],
            {},
            batch.levels[item : item + 1],
            batch.places[item : item + 1],
        )
        written = [decode_notes(draft, instrument) for draft in each]
        scores = [score_notes(pieces, [alone], lambda _number, _item, notes=notes: notes) for notes in written]
        found[number, item] = [score.chord_share + score.onset_hits for score in scores]
    return found


def print_line(
    name: str,
    pieces: list[CorpusPiece],
    batches: list[ExampleBatch],
    drafts: Drafts,
    choose: Callable[[tuple[int, int]], int],
) -> None:
    """Print what the chosen drafts are worth."""

    def write(number: int, item: int) -> list:
        chosen = drafts[number, item][choose((number, item))]
        return decode_notes(chosen, target_of(pieces, batches[number], item))

    score = score_notes(pieces, batches, write)
    print(
        f"{name:30} {score.chord_share:.3f} ({score.other_chord_share:.3f})"
        f"   {score.onset_hits:.3f} ({score.other_onset_hits:.3f})"
        f"   {score.note_rate_ratio:.2f}   {score.silent_share:.3f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
