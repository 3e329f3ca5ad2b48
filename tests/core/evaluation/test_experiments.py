"""Experiments end to end with an untrained model: every table is made, saved, and put on one page."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stemgen_core.audio import write_wav
from stemgen_core.checkpoint import read_manifest
from stemgen_core.corpus.storage import Corpus
from stemgen_core.errors import InvalidRequestError
from stemgen_core.evaluation import obedience
from stemgen_core.evaluation.controls import Interval
from stemgen_core.evaluation.experiments import clips, judging, layering, results, settings_tables
from stemgen_core.evaluation.experiments.bench import SIZES, Bench, BenchPlan, Size
from stemgen_core.evaluation.experiments.results import read_tables, write_page, write_result
from stemgen_core.evaluation.experiments.running import EXPERIMENTS, run_experiments
from stemgen_core.evaluation.near_misses import Candidate
from stemgen_core.evaluation.tables import Cell, Table, table_from_json
from stemgen_core.sampling.judge import add_listener, read_listener
from stemgen_core.sampling.settings import PRESETS, SamplingSettings
from stemgen_core.score import Note
from stemgen_core.types import Waveform
from tests.core.listening_sounds import RATE_HZ, hits, plucks, random_piece, waveform
from tests.core.tiny_models import toy_listener, write_score_bundle
from tests.core.toy_corpus import write_toy_corpus

TINY = Size(
    items=3, swaps=2, varied=1, layerings=2, per_setting=2, judged=3, requests=2, classifier_pieces=20, clip_seeds=1
)
SETTINGS = replace(PRESETS["fast"], num_steps=(2, 1))


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> BenchPlan:
    folder = tmp_path_factory.mktemp("bench")
    write_score_bundle(folder / "bundle", window_frames=50)
    write_toy_corpus(folder / "corpus", num_training=19, num_held_out=3)
    (folder / "clips").mkdir()
    context, _, _ = random_piece(3, 4.0)
    write_wav(folder / "clips" / "chords.wav", waveform(context))
    write_wav(folder / "clips" / "beat.wav", waveform(hits(list(np.arange(0.1, 4, 0.5)), 4.0)))
    return BenchPlan(folder / "bundle", folder / "corpus", folder / "out", folder / "clips", SETTINGS, TINY, 3.0, 1)


def test_sizes_grow() -> None:
    for small, large in (("quick", "usual"), ("usual", "full")):
        pairs = [(getattr(SIZES[small], name), getattr(SIZES[large], name)) for name in Size.__slots__]
        assert all(first < second for first, second in pairs)


def test_a_table_comes_back_from_json_as_it_was() -> None:
    nothing = Interval(float("nan"), float("nan"), float("nan"), 0)
    table = Table("a", "A", "note", ("x", "y", "z"), (("one", Interval(0.5, 0.25, 0.75, 4), None), (2, nothing, 0.25)))

    again = table_from_json(json.loads(json.dumps(table.to_json(), allow_nan=False)))

    assert again.to_markdown() == table.to_markdown()
    assert "| one | 0.50 (0.25 to 0.75) | - |" in table.to_markdown()
    assert "| 2 | - | 0.25 |" in table.to_markdown()
    with pytest.raises(ValueError, match="has 3 columns, got a row of 1"):
        replace(table, rows=(("one",),))


def test_unknown_experiments_are_told(plan: BenchPlan) -> None:
    with pytest.raises(
        InvalidRequestError, match=r"no experiment called 'listening'\. Choose among: held-out, layering"
    ):
        run_experiments(plan, ["listening"])
    with pytest.raises(InvalidRequestError, match="At least one process"):
        run_experiments(plan, ["clips"], num_processes=0)
    with pytest.raises(InvalidRequestError, match="--contexts"):
        run_experiments(replace(plan, contexts=None), ["clips"])
    with pytest.raises(InvalidRequestError, match="holds no results of score-"):
        write_page(replace(plan, out=plan.out / "nothing"), tuple(EXPERIMENTS), plan.out / "tables.md")


@pytest.mark.slow
def test_every_experiment_leaves_its_tables_on_one_page(plan: BenchPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layering, "NUM_TURNS", 2)
    monkeypatch.setattr(obedience, "MIN_STEMS_PER_LABEL", 3)
    told: set[str] = set()

    tables = run_experiments(plan, list(EXPERIMENTS), report=lambda name, _done, _total: told.add(name))

    names = [table.name for table in tables]
    assert names == [
        *("listening", "obedience", "swap", "diversity", "populations"),
        *("layering", "layering_level"),
        *("clips", "clip_stems", "clip_layers"),
        *("guidance", "causal_bias", "steps"),
        *("requests", "judging"),
    ]
    assert told >= {"classifier", "held-out", "layering", "clips", "settings"}
    page = write_page(plan, tuple(EXPERIMENTS), plan.out / "tables.md")
    assert page.count("\n### ") == len(names)
    assert results.machine() in page
    assert "nan" not in page
    obeyed = next(table for table in tables if table.name == "obedience")
    assert obeyed.rows[0][0] == "all"
    assert {row[0] for row in next(t for t in tables if t.name == "judging").rows} == {
        "fit (agreements on audio)",
        "listening score (the model's)",
    }


def test_results_of_another_model_corpus_or_setting_are_left_out(plan: BenchPlan, tmp_path: Path) -> None:
    own = replace(plan, out=tmp_path)
    write_score_bundle(tmp_path / "bundle", seed=1, window_frames=50)
    write_toy_corpus(tmp_path / "corpus", num_training=1, num_held_out=1)
    manifest = tmp_path / "corpus" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"seed": 99}))
    strangers = [
        replace(own, bundle=tmp_path / "bundle"),
        replace(own, corpus=tmp_path / "corpus"),
        replace(own, settings=replace(SETTINGS, num_candidates=2)),
        replace(own, window_s=4.0),
        replace(own, seed=2),
    ]

    write_result(own, "clips", [Table("a", "A", "", ("x",), ((1,),))], seconds=120, cpu_seconds=60)

    assert [table.name for table in read_tables(own, ["clips"])] == ["a"]
    assert "2 minutes by the clock, 1 of processor time" in write_page(own, ["clips"], tmp_path / "tables.md")
    assert [read_tables(stranger, ["clips"]) for stranger in strangers] == [[]] * 5


def test_a_classifier_is_made_again_for_another_corpus_or_size(plan: BenchPlan, tmp_path: Path) -> None:
    manifest = plan.corpus / "manifest.json"
    text = manifest.read_text()
    paths = [Bench.open(each).classifier_path("instrument") for each in (
        plan, replace(plan, seed=2), replace(plan, size=replace(TINY, classifier_pieces=3))
    )]  # fmt: skip
    manifest.write_text(json.dumps(json.loads(text) | {"seed": 99}))
    paths.append(Bench.open(plan).classifier_path("instrument"))
    manifest.write_text(text)

    assert len(set(paths)) == 4
    assert Bench.open(plan).classifier_path("instrument") == paths[0]
    assert Bench.open(plan).classifier_path("genre") not in paths


def test_settings_vary_one_thing_at_a_time() -> None:
    settings = SamplingSettings(context_guidance_scale=2.0)

    tables = settings_tables.variants(settings)

    scales = [
        (line.context_guidance_scale, line.instrument_guidance_scale, line.has_joint_guidance)
        for line in tables["guidance"].values()
    ]
    assert scales == [(1, 1, True), (1, 1.5, True), (2, 1, True), (2, 1.5, True), (3, 3, False)]
    assert [line.causal_bias for line in tables["causal_bias"].values()] == [0, 0.1, 0.2, 0.5]
    assert {replace(line, causal_bias=0.1) for line in tables["causal_bias"].values()} == {settings}
    assert {replace(line, num_steps=settings.num_steps) for line in tables["steps"].values()} == {settings}


@pytest.mark.slow
def test_tables_of_settings_hold_the_model_beside_it_and_what_its_codes_keep(
    plan: BenchPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_tables, "variants", lambda settings: {"steps": {"2, 1": settings}})
    monkeypatch.setattr(obedience, "MIN_STEMS_PER_LABEL", 3)
    write_score_bundle(tmp_path / "other", seed=5, window_frames=50)
    plan.out.mkdir(exist_ok=True)

    (table,) = settings_tables.run(Bench.open(replace(plan, beside=tmp_path / "other")), lambda _done, _total: None)

    other = read_manifest(tmp_path / "other").model_id
    assert [row[0] for row in table.rows] == ["random pairs", "2, 1", other, "codes of the true stem", "true pairs"]
    chord_tones = {row[0]: row[table.header.index("chord_tone_share")] for row in table.rows}
    kept, true = chord_tones["codes of the true stem"], chord_tones["true pairs"]
    assert isinstance(kept, Interval)
    assert isinstance(true, Interval)
    assert kept.mean == pytest.approx(true.mean, abs=0.15)  # what a sampler plays of the true notes


def test_layering_begins_with_one_stem_and_follows_the_piece(plan: BenchPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layering, "NUM_TURNS", 2)
    entry = Corpus.open(plan.corpus).pieces("heldout")[0]
    offered = ("bass", "piano", "drums")

    start = layering.draw_start(entry, offered, 3.0, seed=1)

    assert start is not None
    assert len(set(start.instruments)) == len(start.true_stems) == len(start.true_notes) == 2
    assert set(start.instruments) < set(offered)
    assert layering.draw_start(entry, ("bass",), 3.0, seed=1) is None


def test_layering_hears_the_mix_of_all_turns_before(plan: BenchPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layering, "NUM_TURNS", 2)
    bench = Bench.open(plan)
    heard: list[Waveform] = []
    stems: list[Waveform] = []
    generate = bench.generator.generate

    def listen(context: Waveform, request: object) -> object:
        heard.append(context)
        result = generate(context, request)  # pyright: ignore[reportArgumentType]
        stems.append(result.stem)
        return result

    monkeypatch.setattr(bench.generator, "generate", listen)
    start = layering.draw_start(bench.held_out[0], bench.offered, 3.0, seed=1)
    assert start is not None

    turns = layering.build_up(bench, start)

    assert len(turns) == 2
    assert torch.equal(heard[0].samples, start.start.samples)
    expected = start.start.samples + stems[0].samples.mean(0, keepdim=True)
    torch.testing.assert_close(heard[1].samples, expected)


def test_near_misses_of_a_case_are_what_they_say(plan: BenchPlan) -> None:
    pieces = Corpus.open(plan.corpus).pieces("heldout")
    rng = np.random.default_rng(0)
    drawn = [judging.draw_case(entry, ("bass", "piano", "drums"), 3.0, rng) for entry in pieces]
    cases = [case for case in drawn if case is not None]

    misses = judging.near_misses(cases, seed=0)

    assert len(cases) == 3
    for number, case in enumerate(cases):
        other, elsewhere, late, high = (misses[kind][number] for kind in judging.KINDS)
        assert other is not None
        assert other.notes != case.true.notes
        assert elsewhere is None or elsewhere.instrument == case.true.instrument
        assert late is not None
        assert {note.pitch for note in late.notes} == {note.pitch for note in case.true.notes}
        assert (high is None) == (case.true.instrument == "drums")


def mean_of(cell: Cell) -> float:
    assert isinstance(cell, Interval)
    return cell.mean


def test_a_listener_that_is_asked_for_is_judged_too(plan: BenchPlan, tmp_path: Path) -> None:
    toy_listener().save(tmp_path / "one.safetensors", {})
    asked = replace(plan, size=replace(TINY, judged=2), listener=tmp_path / "one.safetensors")

    table, gains = judging.run(Bench.open(asked), lambda _done, _total: None)

    rows = [row for row in table.rows if row[0] == "contrastive listener"]
    assert [row[1] for row in rows] == list(judging.KINDS)
    assert [row[0] for row in gains.rows] == [*judging.KINDS, "all"]
    apart = {(row[0], row[1]): mean_of(row[2]) for row in table.rows}
    for kind, gain in gains.rows[:-1]:  # of the same pairs
        expected = apart["contrastive listener", kind] - apart["listening score (the model's)", kind]
        assert mean_of(gain) == pytest.approx(expected, nan_ok=True)


def test_who_is_judged_is_the_model_and_the_bundles_listener_or_the_one_asked_for(
    plan: BenchPlan, tmp_path: Path
) -> None:
    own, asked = tmp_path / "own.safetensors", tmp_path / "asked.safetensors"
    toy_listener(0).save(own, {})
    toy_listener(1).save(asked, {})
    write_score_bundle(tmp_path / "bundle", window_frames=50)
    without = Bench.open(replace(plan, bundle=tmp_path / "bundle"))
    add_listener(tmp_path / "bundle", own)
    has_one = replace(plan, bundle=tmp_path / "bundle")

    names = [
        [judge.name for judge in bench.judges.values()]
        for bench in (without, Bench.open(has_one), Bench.open(replace(has_one, listener=asked)))
    ]

    manifest = read_manifest(tmp_path / "bundle")
    listeners = [read_listener(path, manifest).name for path in (own, asked)]
    assert names == [["model"], ["model", listeners[0]], ["model", listeners[1]]]


def test_a_listener_reads_the_mix_and_the_notes_of_a_stem(plan: BenchPlan, tmp_path: Path) -> None:
    toy_listener().save(tmp_path / "one.safetensors", {})
    bench = Bench.open(replace(plan, listener=tmp_path / "one.safetensors"))
    mix = waveform(plucks([(0.5, 60), (1.0, 64)], 2.0))
    stem = Candidate("piano", mix, (Note(0.5, 60, 0.4, 90), Note(1.0, 64, 0.4, 90)))

    scores = [
        bench.score_pair(bench.judges["contrastive listener"], context, one)
        for context, one in (
            (mix, stem),
            (mix, replace(stem, audio=waveform(np.zeros(10)))),
            (mix, replace(stem, notes=stem.notes[:1])),
            (waveform(hits([0.5, 1.0], 2.0)), stem),
        )
    ]

    assert scores[0] == scores[1]  # what a stem sounds like is not asked
    assert scores[0] not in scores[2:]


def test_tables_with_candidates_say_who_chose_and_do_not_compare_with_another_judges(
    plan: BenchPlan, tmp_path: Path
) -> None:
    write_score_bundle(tmp_path / "bundle", window_frames=50)
    several = replace(SETTINGS, num_candidates=2)
    alone, choosing = (
        replace(plan, bundle=tmp_path / "bundle", out=tmp_path / name, settings=settings)
        for name, settings in (("alone", SETTINGS), ("choosing", several))
    )
    for each in (alone, choosing):
        each.out.mkdir()
        write_result(each, "clips", [Table("a", "A", "", ("x",), ((1,),))], seconds=1, cpu_seconds=1)
    page = write_page(choosing, ["clips"], tmp_path / "tables.md")
    toy_listener().save(tmp_path / "one.safetensors", {})

    add_listener(tmp_path / "bundle", tmp_path / "one.safetensors")

    assert "the best of 2 candidates as judged by model." in page
    assert "no choice among candidates" in write_page(alone, ["clips"], tmp_path / "tables.md")
    assert read_tables(choosing, ["clips"]) == []


def test_clips_are_told_apart_by_pitch_and_cut_to_each_other(plan: BenchPlan, tmp_path: Path) -> None:
    assert plan.contexts is not None
    beat, chords = clips.read_clips(plan.contexts)

    assert (beat.name, beat.is_pitched, chords.name, chords.is_pitched) == ("beat", False, "chords", True)
    short = waveform(plucks([(0.1, 60)], 1.0))
    assert clips.fit_length(short, chords.audio).samples.shape == chords.audio.samples.shape
    assert clips.fit_length(chords.audio, short).num_audio_samples == RATE_HZ
    with pytest.raises(InvalidRequestError, match="There is no audio file in"):
        clips.read_clips(tmp_path)
