"""Rules of the score family, its sounding codec, and the families by name."""

from pathlib import Path

import pytest
import torch

from stemgen_core.codec import context_features
from stemgen_core.codec.band_codec import BAND_CODEC_PRESETS, BandCodec
from stemgen_core.codec.families import FAMILY_FILES, open_codecs
from stemgen_core.codec.score_codec import ScoreCodec, allowed_codes, score_rules, settle_expression
from stemgen_core.codec.score_tokens import (
    EXPRESSION_LEVEL,
    FIRST_HOLD,
    FIRST_ONSET,
    FIRST_STROKE,
    REST,
    SCORE_SPEC,
    encode_notes,
    levels_used,
)
from stemgen_core.errors import CheckpointError
from stemgen_core.instruments import INSTRUMENTS, Instrument, find_instrument
from stemgen_core.score import Note
from stemgen_core.sound.soundfont import SoundfontPlayer
from tests.core.tiny_models import SOUNDS, seeded, tone

MASK = SCORE_SPEC.mask_token_id


@pytest.fixture(scope="module")
def codec() -> ScoreCodec:
    return ScoreCodec(SoundfontPlayer(SOUNDS))


def by_name(instrument: Instrument) -> str:
    return instrument.name


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=by_name)
def test_rules_allow_every_code_that_notes_are_written_as(instrument: Instrument) -> None:
    notes = [Note(0.013 * index, 21 + index % 88, 0.2, 1 + index % 127) for index in range(700)]

    codes = encode_notes(notes, instrument, 250)

    for rule in score_rules(instrument):
        assert rule.allowed is not None
        assert rule.allowed[codes[rule.level]].all()
        assert 1 < rule.allowed.sum() < 256
    assert tuple(rule.level for rule in score_rules(instrument)) == levels_used(instrument)


def test_drums_get_no_pitches_and_others_no_strokes() -> None:
    for level in range(EXPRESSION_LEVEL):
        assert not allowed_codes(find_instrument("drums"), level)[FIRST_ONSET:FIRST_STROKE].any()
        assert not allowed_codes(find_instrument("piano"), level)[FIRST_STROKE:].any()


@pytest.mark.parametrize("seed", range(10))
def test_expression_is_settled_only_where_it_is_hidden_and_nothing_begins(seed: int) -> None:
    rng = seeded(seed)
    codes = torch.randint(256, (2, 6, 60), generator=rng)
    codes[:, :5, ::2] = torch.tensor([REST, FIRST_HOLD])[torch.randint(2, (2, 5, 30), generator=rng)]
    codes[:, 5] = torch.where(torch.rand(2, 60, generator=rng) < 0.5, MASK, 7)
    before = codes.clone()

    settled = settle_expression(codes)

    for item in range(2):
        for t in range(60):
            begins = any(
                FIRST_ONSET <= int(code) < FIRST_HOLD or int(code) >= FIRST_STROKE for code in before[item, :5, t]
            )
            known = int(before[item, 5, t])
            expected = REST if known == MASK and not begins else known
            assert int(settled[item, 5, t]) == expected
    assert torch.equal(settled[:, :5], before[:, :5])
    assert torch.equal(codes, before)


@pytest.mark.parametrize(("rate_hz", "duration_s"), [(8_000, 0.5), (44_100, 1.011), (48_000, 1.0)])
def test_a_stem_has_the_contexts_rate_and_length_and_sounds(codec: ScoreCodec, rate_hz: int, duration_s: float) -> None:
    context = tone(duration_s, rate_hz)
    codes = encode_notes([Note(0.1, 60, 0.3, 100)], find_instrument("piano"), 30)

    stem = codec.decode(codes, instrument=find_instrument("piano"), seed=1, context=context)

    assert stem.waveform.samples.shape == (2, context.num_audio_samples)
    assert stem.waveform.sample_rate_hz == rate_hz
    assert stem.waveform.samples[:, round(0.15 * rate_hz) :].abs().max() > 0.01
    assert stem.notes is not None
    assert [note.pitch for note in stem.notes] == [60]


def test_notes_end_with_the_context(codec: ScoreCodec) -> None:
    codes = encode_notes([Note(0.0, 60, 9.0, 100), Note(2.0, 64, 1.0, 100)], find_instrument("piano"), 100)

    notes = codec.decode(codes, instrument=find_instrument("piano"), seed=1, context=tone(1.0)).notes

    assert notes is not None
    assert [(note.pitch, round(note.end_s, 6)) for note in notes] == [(60, 1.0)]


def test_nothing_to_play_is_silence(codec: ScoreCodec) -> None:
    stem = codec.decode(torch.zeros(6, 25).long(), instrument=find_instrument("drums"), seed=1, context=tone(1.0))

    assert stem.waveform.samples.abs().max() == 0
    assert stem.notes == ()


def test_the_score_family_opens_with_its_sounds() -> None:
    target, context = open_codecs("score", lambda name: SOUNDS.parent / name, context_codec=context_features.NAME)

    assert (target.spec, context.name) == (SCORE_SPEC, context_features.NAME)


def test_an_unknown_family_is_named_with_the_known_ones() -> None:
    with pytest.raises(CheckpointError, match="no family 'midi'; it has: score, audio"):
        open_codecs("midi", lambda name: Path(name), context_codec="any")


@pytest.mark.parametrize(("name", "heard"), [("bands-pulse-50hz-v1", "bands-pulse-50hz-v1"), ("bands", "bands")])
def test_an_audio_model_opens_with_what_it_was_trained_to_hear(name: str, heard: str, tmp_path: Path) -> None:
    codec = BandCodec(BAND_CODEC_PRESETS["tiny-bands"])
    codec.save(tmp_path)

    target, context = open_codecs("audio", lambda file: tmp_path / file, context_codec=name)

    assert target.spec == codec.spec
    assert context.name == heard  # its own codes, or bands


@pytest.mark.parametrize("family", sorted(FAMILY_FILES))
def test_a_file_that_is_missing_stops_the_opening(family: str) -> None:
    def find_nothing(name: str) -> Path:
        raise CheckpointError(f"lacks its file {name}")

    with pytest.raises(CheckpointError, match="lacks its file"):
        open_codecs(family, find_nothing, context_codec="any")
