"""Clips that no training resembles, such as the ones the paper's authors began with: no true stems are known of them.

Conventions: every clip gets a stem of each instrument that makes sense, from several seeds. The random pair of a stem
is the stem of the same instrument made for another clip, repeated or cut to length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stemgen_core.analysis.fit import FitReport, measure_fit
from stemgen_core.analysis.key import PITCHED_ABOVE, chroma
from stemgen_core.audio import mix_waveforms, read_audio, resample, to_mono
from stemgen_core.errors import InvalidRequestError
from stemgen_core.evaluation.controls import mean_interval
from stemgen_core.evaluation.experiments.bench import Bench, Report
from stemgen_core.evaluation.hearing import hear
from stemgen_core.evaluation.report import score_pair
from stemgen_core.evaluation.tables import Cell, Table, interval_cell
from stemgen_core.generator import GenerationRequest
from stemgen_core.types import Waveform

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff")
FOR_DRUMS, FOR_PITCHED = ("bass", "piano", "guitar"), ("drums", "bass", "piano")
LAYERS_ON_DRUMS = ("bass", "piano", "guitar", "ensemble")
LAYERS_ON_PITCHED = ("drums", "bass", "piano", "guitar")
SCORES = ("beat_f1", "same_tempo", "onset_agreement", "late_ms", "chroma_contrast", "key_score", "chord_agreement")


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip to start from.

    Attributes:
        name: of the file.
        audio: mono.
        is_pitched: whether it has harmony.
    """

    name: str
    audio: Waveform
    is_pitched: bool


@dataclass(frozen=True, slots=True)
class _Stem:
    clip: int
    instrument: str
    seed: int
    audio: Waveform
    fit: FitReport


def read_clips(folder: Path) -> list[Clip]:
    """Read every audio file of a folder, by name.

    Raises:
        InvalidRequestError: if there is none.
        AudioFormatError: if one can't be read.
    """
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not paths:
        raise InvalidRequestError(f"There is no audio file in {folder}. Name a folder with {', '.join(SUFFIXES)}.")
    clips = []
    for path in paths:
        audio = to_mono(read_audio(path))
        clips.append(Clip(path.stem, audio, chroma(audio).pitchedness >= PITCHED_ABOVE))
    return clips


def run(bench: Bench, report: Report) -> list[Table]:
    """Generate for every clip, and layer four stems on every clip.

    Raises:
        InvalidRequestError: if the plan has no folder of clips, or no audio is in it.
    """
    if bench.plan.contexts is None:
        raise InvalidRequestError("Which clips? Name their folder with --contexts.")
    clips = read_clips(bench.plan.contexts)
    wanted = [
        (index, instrument, bench.plan.seed + number)
        for index, clip in enumerate(clips)
        for instrument in (FOR_PITCHED if clip.is_pitched else FOR_DRUMS)
        if instrument in bench.offered
        for number in range(bench.plan.size.clip_seeds)
    ]
    stems = []
    for index, instrument, seed in wanted:
        request = GenerationRequest(instrument, seed, bench.plan.settings)
        result = bench.generator.generate(clips[index].audio, request)
        stems.append(_Stem(index, instrument, seed, to_mono(result.stem), result.fit))
        report(len(stems), len(wanted) + len(clips))
    layers: list[tuple[Cell, ...]] = []
    for number, clip in enumerate(clips):
        layers += _layer(bench, clip)
        report(len(wanted) + number + 1, len(wanted) + len(clips))
    return [_score_table(clips, stems), _stem_table(clips, stems), _layer_table(layers)]


def fit_length(stem: Waveform, clip: Waveform) -> Waveform:
    """Return a stem at a clip's rate and length, repeated or cut."""
    found = resample(stem, clip.sample_rate_hz)
    repeats = -(-clip.num_audio_samples // max(1, found.num_audio_samples))
    return Waveform(found.samples.repeat(1, repeats)[:, : clip.num_audio_samples], clip.sample_rate_hz)


def _score_table(clips: Sequence[Clip], stems: Sequence[_Stem]) -> Table:
    contexts = [hear(clip.audio) for clip in clips]
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in SCORES}
    for stem in stems:
        others = [one for one in stems if one.instrument == stem.instrument and one.clip != stem.clip]
        strangers = others or [one for one in stems if one.clip != stem.clip]
        pairs = [[hear(stem.audio)], [hear(fit_length(one.audio, clips[stem.clip].audio)) for one in strangers[:2]]]
        for column, sounds in enumerate(pairs):
            for sound in sounds:
                scores = score_pair(contexts[stem.clip], sound, stem.instrument, None, None)
                for name in SCORES:
                    value = scores[name]
                    found[name][1 - column].append(np.nan if value is None else value)
    rows = tuple((name, *(mean_interval(np.array(values)) for values in found[name])) for name in SCORES)
    return Table(
        "clips",
        "Clips to start from: does it listen?",
        f"{len(stems)} stems for {len(clips)} clips ({', '.join(clip.name for clip in clips)}), real audio that no"
        " training resembles. Random pairs: the stem of the same instrument made for another clip. There are no true"
        " stems.",
        ("score", "random pairs", "generated"),
        rows,
    )


def _stem_table(clips: Sequence[Clip], stems: Sequence[_Stem]) -> Table:
    rows = tuple(
        (f"{clips[stem.clip].name} ({clips[stem.clip].audio.duration_s:.1f} s)", stem.instrument, stem.seed,
         *fit_cells(stem.fit))
        for stem in stems
    )  # fmt: skip
    return Table(
        "clip_stems",
        "Clips to start from: stem by stem",
        "As the studio shows it: agreement 0 is chance, 1 is a true pair.",
        ("clip", "asked for", "seed", "offset", "onsets", "harmony", "level", "verdict"),
        rows,
    )


def fit_cells(fit: FitReport) -> tuple[str, ...]:
    """Return offset, onset agreement, harmony agreement, level and verdict, for people."""
    return (
        interval_cell(None) if fit.offset_ms is None else f"{fit.offset_ms:+.0f} ms",
        interval_cell(None) if fit.onset_agreement is None else f"{fit.onset_agreement:.2f}",
        interval_cell(None) if fit.harmony_agreement is None else f"{fit.harmony_agreement:.2f}",
        f"{fit.level_db:+.1f} dB",
        fit.verdict,
    )


def _layer(bench: Bench, clip: Clip) -> list[tuple[Cell, ...]]:
    mix, rows = clip.audio, []
    base_db = hear(clip.audio).level.active_rms_dbfs
    turns = [name for name in (LAYERS_ON_PITCHED if clip.is_pitched else LAYERS_ON_DRUMS) if name in bench.offered]
    for number, instrument in enumerate(turns):
        request = GenerationRequest(instrument, bench.plan.seed + number, bench.plan.settings)
        stem = to_mono(bench.generator.generate(mix, request).stem)
        level = hear(stem).level
        rows.append(
            (clip.name, number + 1, instrument, f"{level.active_rms_dbfs - base_db:+.1f} dB",
             *fit_cells(measure_fit(mix, stem)))
        )  # fmt: skip
        mix = mix_waveforms([mix, stem])
    return rows


def _layer_table(rows: Sequence[tuple[Cell, ...]]) -> Table:
    return Table(
        "clip_layers",
        "Clips to start from: four turns deep",
        "Every turn hears the mix of the clip and all turns before; *to clip* is the level against the clip alone.",
        ("clip", "turn", "asked for", "to clip", "offset", "onsets", "harmony", "level", "verdict"),
        tuple(rows),
    )
