"""Compare scores that choose among candidates: every window is drafted several times, once for all of them.

    .venv/bin/python -m benchmarks.candidate_choice CORPUS [--listener FILE] [--preset balanced fast] [--drafts 4]

Each line keeps one draft per window: the first, the one that a score prefers of the first two or of all, and the one
that the columns themselves prefer, which no score can beat. No score is among the columns; the windows are those of
`benchmarks.preset_choice`. Gains are of both columns together, with 95 % intervals over windows.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.preset_choice import CANDIDATES, draw_batches
from stemgen_core.checkpoint import SHIPPED_BUNDLE_PATH, load_bundle
from stemgen_core.codec.score_codec import score_rules
from stemgen_core.codec.score_tokens import REST, SCORE_SPEC, decode_notes, levels_used
from stemgen_core.corpus.storage import Corpus, CorpusPiece
from stemgen_core.evaluation.controls import Interval, mean_interval
from stemgen_core.model.precision import gains_by_bfloat16, halve_blocks
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.sampling.candidates import candidate_rngs
from stemgen_core.sampling.decode import DecodingProgress, decode_codes
from stemgen_core.sampling.drafts import sounding_share
from stemgen_core.sampling.judge import ListenerJudge, ModelJudge, StemJudge, open_judge, read_listener
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.training.examples import ExampleBatch
from stemgen_core.training.listening import score_notes, seed_of_item, target_of

Drafts = dict[tuple[int, int], torch.Tensor]  # batch and item -> int64 [drafts, K, T]
Scores = dict[tuple[int, int], list[float]]
Choice = Callable[[tuple[int, int]], int]


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
    """Print one line per way to choose, preset by preset; then what the same processor time buys."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--bundle", type=Path, default=SHIPPED_BUNDLE_PATH)
    parser.add_argument("--listener", type=Path, help="file of `stemgen train listener`; without: the bundle's own")
    parser.add_argument("--preset", nargs="+", choices=sorted(CANDIDATES), default=["balanced"])
    parser.add_argument("--drafts", type=int, default=4)
    parser.add_argument("--batches", type=int, default=2, help="of 16 windows")
    parsed = parser.parse_args()
    torch.set_num_threads(1)
    bundle = load_bundle(parsed.bundle)
    pieces = Corpus.open(parsed.corpus).pieces("heldout")
    batches = draw_batches(pieces, bundle.manifest.window_frames, parsed.batches)
    if gains_by_bfloat16():  # as the generator does
        halve_blocks(bundle.model)
    judges: dict[str, StemJudge] = {"listening score": ModelJudge(bundle.model, bundle.manifest.window_frames)}
    own = open_judge(bundle) if parsed.listener is None else read_listener(parsed.listener, bundle.manifest)
    if isinstance(own, ListenerJudge):
        judges["listener"] = own
    ways: list[Way] = []
    for preset in parsed.preset:
        ways += compare(bundle.model, pieces, batches, preset, parsed.drafts, judges)
    print_prices(ways)


@dataclass(frozen=True, slots=True)
class Way:
    """A way to make one stem.

    Attributes:
        name: in words.
        seconds: of processor time for one window.
        values: what the columns say together of each window's stem, float64 [N].
    """

    name: str
    seconds: float
    values: np.ndarray


def compare(
    model: StemTransformer,
    pieces: list[CorpusPiece],
    batches: list[ExampleBatch],
    preset: str,
    count: int,
    judges: dict[str, StemJudge],
) -> list[Way]:
    """Draft every window with a preset and print one line per way to choose; returns what each way costs and gives."""
    started = time.process_time()
    drafts = draft_all(model, pieces, batches, CANDIDATES[preset], count)
    seconds = (time.process_time() - started) / len(drafts) / count
    worth = measured(pieces, batches, drafts)
    print(f"\n{preset}: {len(drafts)} windows, {count} drafts each, {seconds:.2f} s of processor time per draft")
    print(f"{'chosen by':30} chords (chance)  onsets (chance)  notes per true  silent  gain over the mean draft")
    mean = np.array([np.mean(each) for each in worth.values()])

    def follow(name: str, choose: Choice) -> np.ndarray:
        values = np.array([each[choose(place)] for place, each in worth.items()])
        print_line(name, pieces, batches, drafts, choose, mean_interval(values - mean))
        return values

    follow("the first", lambda _place: 0)
    ways = [Way(f"{preset}, one draft", seconds, mean)]
    chosen: dict[str, np.ndarray] = {}
    for name, judge in judges.items():
        scores, each = score_all(drafts, partial(judged, judge, pieces, batches))
        for number in sorted({2, 3, count} & set(range(2, count + 1))):
            values = follow(f"{name}, of {number}", best_of(scores, number))
            ways.append(Way(f"{preset}, {name}, of {number}", number * (seconds + each), values))
            chosen[name] = values
        shown = np.array([np.delete(worth[place], np.argmin(scores[place])).mean() for place in worth])
        print(f"{'':30} all but the last by this score: {_words(mean_interval(shown - mean))} over the mean draft")
        ways.append(Way(f"{preset}, {count - 1} of {count} shown by {name}", seconds * count / (count - 1), shown))
        print(f"{'':30} {each:.3f} s of processor time per score")
    follow("the columns themselves", best_of(worth, count))
    if len(chosen) == 2:
        (one, values), (other, other_values) = chosen.items()
        print(f"{other} less {one}, of {count}, window by window: {_words(mean_interval(other_values - values))}")
    return ways


def print_prices(ways: list[Way]) -> None:
    """Print what each way gives over the first one, windows paired, beside its price."""
    print(f"\n{'way':44} s per stem  over {ways[0].name}")
    for way in ways:
        print(f"{way.name:44} {way.seconds:10.2f}  {_words(mean_interval(way.values - ways[0].values))}")


def judged(
    judge: StemJudge,
    pieces: list[CorpusPiece],
    batches: list[ExampleBatch],
    number: int,
    item: int,
    draft: torch.Tensor,
) -> float:
    """Return what a judge makes of a draft; one that never plays is below all others."""
    rules = score_rules(target_of(pieces, batches[number], item))
    if not sounding_share(draft, rules, frame_rate_hz=1):
        return -np.inf
    context = batches[number].context[item : item + 1]
    conditions = {"instrument": batches[number].conditions["instrument"][item : item + 1]}
    return judge.score(context, draft, conditions, rules=rules)


def best_of(scores: Scores, count: int) -> Choice:
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
    choose: Choice,
    gain: Interval,
) -> None:
    """Print what the chosen drafts are worth."""

    def write(number: int, item: int) -> list:
        chosen = drafts[number, item][choose((number, item))]
        return decode_notes(chosen, target_of(pieces, batches[number], item))

    score = score_notes(pieces, batches, write)
    print(
        f"{name:30} {score.chord_share:.3f} ({score.other_chord_share:.3f})"
        f"   {score.onset_hits:.3f} ({score.other_onset_hits:.3f})"
        f"   {score.note_rate_ratio:.2f}   {score.silent_share:.3f}   {_words(gain)}",
        flush=True,
    )


def _words(gain: Interval) -> str:
    return f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"


if __name__ == "__main__":
    main()
