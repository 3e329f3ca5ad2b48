"""The paper's tables 1 and 2, computed for our model: guidance, causal bias, and the number of steps."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from stemgen_core.audio import mix_waveforms, to_mono
from stemgen_core.codec.protocol import DecodedStem
from stemgen_core.evaluation import descriptors, obedience
from stemgen_core.evaluation.controls import Interval, mean_interval
from stemgen_core.evaluation.experiments.bench import Bench, Report
from stemgen_core.evaluation.experiments.populations import Populations
from stemgen_core.evaluation.hearing import Heard, hear
from stemgen_core.evaluation.held_out import held_out_windows
from stemgen_core.evaluation.items import EvaluationItem
from stemgen_core.evaluation.report import score_pair
from stemgen_core.evaluation.tables import Cell, Table
from stemgen_core.evaluation.timbre import segment_features
from stemgen_core.generator import GenerationRequest, StemGenerator
from stemgen_core.instruments import find_instrument
from stemgen_core.sampling.settings import SamplingSettings

SCORES = ("beat_f1", "onset_agreement", "chroma_contrast", "chord_tone_share")
CAUSAL_BIASES = (0.0, 0.1, 0.2, 0.5)
STEPS = ((4, 2, 1), (8, 4, 2), (16, 8, 4), (32, 16, 8))
_PAPER_SCALE = 3.0


def variants(settings: SamplingSettings) -> dict[str, dict[str, SamplingSettings]]:
    """Return the settings of each line, by table; a setting that two tables share is generated once.

    Guidance is taken at the strength of the given settings (at least 1.5), and in the paper's own form and strength.
    """
    context = max(1.5, settings.context_guidance_scale)
    instrument = max(1.5, settings.instrument_guidance_scale)
    off = replace(settings, context_guidance_scale=1.0, instrument_guidance_scale=1.0)
    paper = replace(
        settings,
        context_guidance_scale=_PAPER_SCALE,
        instrument_guidance_scale=_PAPER_SCALE,
        has_joint_guidance=False,
        density_guidance_share=1.0,
    )
    return {
        "guidance": {
            "off": off,
            f"instrument ({instrument:g})": replace(off, instrument_guidance_scale=instrument),
            f"context ({context:g})": replace(off, context_guidance_scale=context),
            "both": replace(off, context_guidance_scale=context, instrument_guidance_scale=instrument),
            "both, eq. 3 (3)": paper,
        },
        "causal_bias": {f"w_s = {bias:g}": replace(settings, causal_bias=bias) for bias in CAUSAL_BIASES},
        "steps": {", ".join(map(str, steps)): replace(settings, num_steps=steps) for steps in STEPS},
    }


@dataclass(frozen=True, slots=True)
class _Line:
    """What was measured with one setting; for random and true stems the same, without seconds."""

    mirdd: Interval
    frechet: Interval | None
    scores: dict[str, Interval]
    obeyed: Interval | None
    seconds: float | None


def run(bench: Bench, report: Report) -> list[Table]:
    """Generate for the same windows with every setting."""
    plan = bench.plan
    count = plan.size.per_setting
    windows = list(
        held_out_windows(bench.held_out, bench.offered, num_items=count, window_s=plan.window_s, seed=plan.seed + 1)
    )
    heard = [hear(item.context) for item in windows]
    populations = Populations.of_bench(bench, max(count, plan.size.items // 2))
    tables = variants(plan.settings)
    distinct = list(dict.fromkeys(settings for lines in tables.values() for settings in lines.values()))
    measured: dict[SamplingSettings, _Line] = {}
    judge = partial(_judge_made, bench, windows, heard, populations)
    for number, settings in enumerate(distinct):
        measured[settings] = judge(partial(_generate, bench.generator, settings))
        report(number + 1, len(distinct))
    controls = {
        "random pairs": _judge(windows, heard, [*windows[1:], windows[0]], populations),
        "codes of the true stem": judge(partial(_write_and_read, bench.generator)),
        "true pairs": _judge(windows, heard, windows, populations),
    }
    if plan.beside is not None:
        other = StemGenerator.load(plan.beside)
        line = judge(partial(_generate, other, plan.settings))
        controls = {"random pairs": controls.pop("random pairs"), other.model_id: line, **controls}
    return [_table(name, lines, measured, controls, count) for name, lines in tables.items()]


def _generate(generator: StemGenerator, settings: SamplingSettings, item: EvaluationItem) -> DecodedStem:
    result = generator.generate(item.context, GenerationRequest(item.instrument, item.seed, settings))
    return DecodedStem(result.stem, result.notes)


def _write_and_read(generator: StemGenerator, item: EvaluationItem) -> DecodedStem:
    """Return the true stem written as codes and read back: more than its tokens hold no model can give."""
    codec, instrument = generator.target_codec, find_instrument(item.instrument)
    num_frames = math.ceil(item.context.duration_s * codec.spec.frame_rate_hz)
    codes = codec.encode_stem(DecodedStem(item.true_stem, item.true_notes), instrument, num_frames)
    return codec.decode(codes, instrument=instrument, seed=item.seed, context=item.context)


def _judge_made(
    bench: Bench,
    windows: Sequence[EvaluationItem],
    heard: Sequence[Heard],
    populations: Populations,
    make: Callable[[EvaluationItem], DecodedStem],
) -> _Line:
    made, started = [], time.monotonic()
    for item in windows:
        stem = make(item)
        made.append(replace(item, true_stem=to_mono(stem.waveform), true_notes=stem.notes))
    seconds = (time.monotonic() - started) / len(windows)
    line = _judge(windows, heard, made, populations)
    stems = [item.true_stem for item in made]
    obeyed = obedience.evaluate(bench.classifier("instrument"), stems, [item.instrument for item in made])["obeyed"]
    frechet = populations.frechet_of_classifier([segment_features(stem) for stem in stems])
    return replace(line, seconds=seconds, obeyed=mean_interval(obeyed), frechet=frechet)


def _judge(
    windows: Sequence[EvaluationItem],
    heard: Sequence[Heard],
    stems: Sequence[EvaluationItem],
    populations: Populations,
) -> _Line:
    """Measure contexts with the (true) stems of other items; what can't be measured on a stem is left out."""
    found: dict[str, list[float]] = {name: [] for name in SCORES}
    mixes = []
    for item, context, other in zip(windows, heard, stems, strict=True):
        scores = score_pair(context, hear(other.true_stem), other.instrument, item.facts, other.true_notes)
        for name in SCORES:
            value = scores[name]
            found[name].append(np.nan if value is None else value)
        mixes.append(descriptors.describe(mix_waveforms([item.context, other.true_stem])))
    intervals = {name: mean_interval(np.array(values)) for name, values in found.items()}
    return _Line(populations.mirdd(mixes), None, intervals, None, None)


def _table(
    name: str,
    lines: dict[str, SamplingSettings],
    measured: dict[SamplingSettings, _Line],
    controls: dict[str, _Line],
    count: int,
) -> Table:
    titles = {"guidance": "Guidance", "causal_bias": "Causal bias", "steps": "Decoding steps per level"}
    floor, *others = controls.items()
    rows = [_row(*floor)]
    rows += [_row(label, measured[settings]) for label, settings in lines.items()]
    rows += [_row(label, line) for label, line in others]
    return Table(
        name,
        titles[name],
        f"The same {count} windows and seeds on every line; all else as in the preset. Frechet: stems, classifier's"
        " layer; mirdd: mixes (both lower is nearer, comparable within this table). Codes of the true stem: written as"
        " this model's codes and read back. Few windows: differences within the intervals are chance.",
        (titles[name].lower(), "Frechet", "mirdd", *SCORES, "instrument obeyed", "s per stem"),
        tuple(rows),
    )


def _row(label: str, line: _Line) -> tuple[Cell, ...]:
    scores = (line.scores[name] for name in SCORES)
    return (label, line.frechet, line.mirdd, *scores, line.obeyed, line.seconds)
