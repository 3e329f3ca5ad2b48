"""The bundled soundfont, the player, and the tools that made the font."""

import hashlib
import io
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemgen_core.errors import CheckpointError, InvalidRequestError, MissingDependencyError
from stemgen_core.score import Note
from stemgen_core.sound import hydra
from stemgen_core.sound.hydra import Font, FontInstrument, Preset, Sample, Zone, parse_font, subset_font, write_font
from stemgen_core.sound.level import PEAK_CEILING, active_rms_db, true_peak
from stemgen_core.sound.ogg import with_serial_number
from stemgen_core.sound.packing import build_sounds, compress_sample, scale_attenuation
from stemgen_core.sound.playing import play_stem
from stemgen_core.sound.programs import SOUNDS, Sound, choose_sound
from stemgen_core.sound.room import add_room
from stemgen_core.sound.soundfont import SoundfontPlayer

BUNDLE = Path(__file__).parents[2] / "bundle"
RATE_HZ = 32_000
PIANO = Sound(0, 0, "Grand piano")
KIT = Sound(128, 0, "Standard kit")
ATTENUATION, SAMPLE_MODES = 48, 54


@pytest.fixture(scope="module")
def player() -> SoundfontPlayer:
    return SoundfontPlayer(BUNDLE / "sounds.sf3")


def _sine_sample(name: bytes, num_frames: int = 3000) -> Sample:
    wave = (8000 * np.sin(2 * np.pi * np.arange(num_frames) / 50)).astype("<i2")
    return Sample(name, wave.tobytes(), False, 1000, 2000, 22_050, 69, 0, None, 1)


def _small_font() -> Font:
    samples = (_sine_sample(b"first"), _sine_sample(b"second", 2600))
    modulator = (258, 8, 0, 3330, 0)
    instruments = tuple(
        FontInstrument(name, (Zone(((SAMPLE_MODES, 1),), (modulator,), None), Zone(((ATTENUATION, 100),), (), index)))
        for index, name in enumerate((b"one", b"two"))
    )
    presets = (
        Preset(b"One", 3, 0, (Zone((), (), 0),)),
        Preset(b"Both", 7, 0, (Zone(((43, 0x3C00),), (), 0), Zone(((43, 0x7F3D),), (), 1))),
        Preset(b"Two", 0, 128, (Zone((), (), 1),)),
    )
    return Font({b"INAM": b"small\0"}, presets, instruments, samples)


def _note(
    player: SoundfontPlayer, start_s: float, pitch: int, *, sound: Sound = PIANO, velocity: int = 100
) -> np.ndarray:
    return player.render(
        [Note(start_s, pitch, 1.0, velocity)], sound, sample_rate_hz=RATE_HZ, num_audio_samples=2 * RATE_HZ
    )


# --- the player


@pytest.mark.parametrize("start_s", [0.0, 0.2512, 1.0037])
def test_a_stroke_sounds_within_five_milliseconds_of_its_time(player: SoundfontPlayer, start_s: float) -> None:
    magnitude = np.abs(_note(player, start_s, 37, sound=KIT)).max(axis=0)

    assert abs(float(np.argmax(magnitude > 0.1 * magnitude.max())) / RATE_HZ - start_s) < 0.005


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("pitch", [45, 57, 69])
def test_the_pitch_is_right_at_any_rate(player: SoundfontPlayer, pitch: int, rate_hz: int) -> None:
    samples = player.render(
        [Note(0.0, pitch, 2.0, 100)], PIANO, sample_rate_hz=rate_hz, num_audio_samples=2 * rate_hz
    ).mean(axis=0)

    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    wanted_hz = 440 * 2 ** ((pitch - 69) / 12)
    around = spectrum[: round(wanted_hz * 1.5 * 2)]
    assert np.argmax(around) / 2 == pytest.approx(wanted_hz, rel=0.01)


@pytest.mark.parametrize("num_audio_samples", [0, 1, 999, 44_101])
def test_the_length_is_exact_and_the_end_is_faded(player: SoundfontPlayer, num_audio_samples: int) -> None:
    samples = player.render(
        [Note(0.0, 60, 9.0, 100)], PIANO, sample_rate_hz=44_100, num_audio_samples=num_audio_samples
    )

    assert samples.shape == (2, num_audio_samples)
    assert samples.dtype == np.float32
    assert not samples[:, -1:].any() or num_audio_samples == 1


def test_the_same_notes_sound_the_same_whatever_was_played_before(player: SoundfontPlayer) -> None:
    first = _note(player, 0.1, 60)
    player.render([Note(0.0, 30, 9.0, 127)], KIT, sample_rate_hz=8_000, num_audio_samples=4_000)

    assert np.array_equal(_note(player, 0.1, 60), first)


def test_a_note_ends_with_its_duration_and_a_chord_adds_up(player: SoundfontPlayer) -> None:
    organ = Sound(0, 16, "Drawbar organ")
    samples = _note(player, 0.0, 60, sound=organ)

    assert np.abs(samples[:, round(0.9 * RATE_HZ) : RATE_HZ]).max() > 0.01
    assert np.abs(samples[:, round(1.5 * RATE_HZ) :]).max() < 1e-4


def test_loudness_goes_with_the_square_of_velocity(player: SoundfontPlayer) -> None:
    lead = Sound(0, 80, "Square lead")  # one layer, no filter that follows velocity
    loud, soft = (active_rms_db(_note(player, 0.0, 60, sound=lead, velocity=v), RATE_HZ) for v in (120, 60))

    assert loud - soft == pytest.approx(12.04, abs=0.1)


def test_a_pitch_struck_again_before_its_end_is_struck_again(player: SoundfontPlayer) -> None:
    notes = [Note(0.0, 60, 1.0, 100), Note(1.0, 60, 1.0, 70)]
    samples = player.render(notes, PIANO, sample_rate_hz=RATE_HZ, num_audio_samples=2 * RATE_HZ)
    before, after = (np.abs(samples[:, start : start + 3000]).max() for start in (RATE_HZ - 3000, RATE_HZ))

    assert after > 1.5 * before


def test_unknown_sounds_and_absurd_rates_are_refused(player: SoundfontPlayer) -> None:
    with pytest.raises(InvalidRequestError, match="no preset 127 in bank 0"):
        player.render([], Sound(0, 127, "Gunshot"), sample_rate_hz=RATE_HZ, num_audio_samples=10)
    with pytest.raises(InvalidRequestError, match="sample rate must be 8000 to 192000 Hz, got 100"):
        player.render([], PIANO, sample_rate_hz=100, num_audio_samples=10)


def test_a_missing_or_broken_font_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"absent\.sf3 is missing"):
        SoundfontPlayer(tmp_path / "absent.sf3")
    (tmp_path / "broken.sf3").write_bytes(b"RIFF\0\0\0\0nothing here")
    with pytest.raises(CheckpointError, match=r"broken\.sf3 is no soundfont"):
        SoundfontPlayer(tmp_path / "broken.sf3")


# --- the bundle and its sounds


def test_the_bundle_is_what_its_description_says() -> None:
    packed = (BUNDLE / "sounds.sf3").read_bytes()
    description = json.loads((BUNDLE / "sounds.json").read_text())

    assert hashlib.sha256(packed).hexdigest() == description["sha256"]
    assert len(packed) == description["size_bytes"] <= 20_000_000
    assert "Frank Wen" in (BUNDLE / description["licence_file"]).read_text()
    listed = {(preset["bank"], preset["program"]) for preset in description["presets"]}
    assert listed == {(sound.bank, sound.program) for sounds in SOUNDS.values() for sound in sounds}


@pytest.mark.parametrize("instrument", SOUNDS)
def test_each_sound_of_each_instrument_sounds_at_a_usual_level(player: SoundfontPlayer, instrument: str) -> None:
    pitches = (36, 38, 42, 49) if instrument == "drums" else (36, 43) if instrument == "bass" else (55, 60, 67, 76)
    notes = [Note(0.25 * step, pitch, 0.25, 100) for step, pitch in enumerate(pitches)]
    for sound in SOUNDS[instrument]:
        assert player.has_sound(sound)
        samples = player.render(notes, sound, sample_rate_hz=RATE_HZ, num_audio_samples=RATE_HZ)

        assert -50 < active_rms_db(samples, RATE_HZ) < -12, sound
        assert np.abs(samples).max() < 1, sound


@pytest.mark.parametrize("instrument", SOUNDS)
def test_the_seed_chooses_among_all_sounds_of_the_instrument(instrument: str) -> None:
    chosen = [choose_sound(instrument, seed) for seed in range(60)]

    assert set(chosen) == set(SOUNDS[instrument])
    assert chosen == [choose_sound(instrument, seed) for seed in range(60)]


@pytest.mark.parametrize("instrument", ["vocals", "sound_effects", "kazoo"])
def test_instruments_without_sounds_are_refused(instrument: str) -> None:
    with pytest.raises(InvalidRequestError, match=instrument):
        choose_sound(instrument, 0)


@pytest.mark.parametrize("instrument", ["bass", "drums", "synth_pad"])
def test_a_played_stem_has_the_contexts_length_and_a_level_that_sits_in_it(
    player: SoundfontPlayer, instrument: str
) -> None:
    rng = np.random.default_rng(0)
    context = (0.1 * rng.standard_normal((1, 3 * 44_100 + 17))).astype(np.float32)
    notes = [Note(0.5 * step, 38, 0.4, 90) for step in range(6)]

    stem = play_stem(player, notes, instrument=instrument, seed=3, context=context, sample_rate_hz=44_100)

    assert stem.shape == (2, context.shape[1])
    assert true_peak(stem) <= PEAK_CEILING + 1e-3
    assert -15 < active_rms_db(stem, 44_100) - active_rms_db(context, 44_100) < 0


def test_a_room_follows_the_sound_and_never_comes_before_it() -> None:
    dry = np.zeros((2, RATE_HZ), np.float32)
    dry[:, 8000] = 1.0

    wet = add_room(dry, RATE_HZ)

    assert wet.shape == dry.shape
    assert np.abs(wet[:, :8000]).max() < 1e-5
    assert wet[0, 8000] == pytest.approx(1.0, abs=1e-3)
    assert 0.001 < np.abs(wet[:, 8300:12_000]).max() < 0.2
    assert add_room(dry[:, :0], RATE_HZ).shape == (2, 0)


# --- making the font


def test_a_font_is_the_same_after_writing_and_reading() -> None:
    font = _small_font()

    assert parse_font(write_font(font)) == font


@pytest.mark.parametrize("is_padded", [True, False], ids=["as RIFF wants it", "as MuseScore writes it"])
def test_odd_chunks_are_read_with_and_without_their_padding(is_padded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = _small_font()
    samples = tuple(
        replace(one, data=bytes([7]) * length, is_vorbis=True)
        for one, length in zip(plain.samples, (41, 90), strict=True)
    )
    font = replace(plain, info={b"INAM": b"odd\0\0", b"ICMT": b"even\0\0"}, samples=samples)
    if not is_padded:
        monkeypatch.setattr(hydra, "_chunk", lambda name, content: struct.pack("<4sI", name, len(content)) + content)

    written = write_font(font)

    assert (b"odd\0\0ICMT" in written) != is_padded
    assert parse_font(written) == font


def test_a_subset_holds_what_its_presets_need_and_nothing_else() -> None:
    font = _small_font()

    subset = subset_font(font, [(128, 0)])

    assert [preset.name for preset in subset.presets] == [b"Two"]
    assert [one.name for one in subset.instruments] == [b"two"]
    assert [sample.name for sample in subset.samples] == [b"second"]
    assert subset.presets[0].zones[0].target == subset.instruments[0].zones[1].target == 0
    assert subset_font(font, [(0, 7)]).samples == font.samples
    with pytest.raises(ValueError, match=r"lacks the presets .*\(0, 99\)"):
        subset_font(font, [(0, 99)])


def test_a_written_font_plays(tmp_path: Path) -> None:
    (tmp_path / "small.sf2").write_bytes(write_font(_small_font()))
    small = SoundfontPlayer(tmp_path / "small.sf2")

    samples = _note(small, 0.0, 69, sound=Sound(0, 3, "One"))[0]

    frequency_hz = np.argmax(np.abs(np.fft.rfft(samples[:RATE_HZ]))) * 1.0
    assert frequency_hz == pytest.approx(22_050 / 50, abs=2)


def test_stereo_links_survive_only_with_both_halves() -> None:
    pair = (
        replace(_sine_sample(b"left"), link=1, kind=4),
        replace(_sine_sample(b"right"), link=0, kind=2),
    )
    both = FontInstrument(b"both", (Zone((), (), 0), Zone((), (), 1)))
    half = FontInstrument(b"half", (Zone((), (), 1),))
    presets = (Preset(b"Both", 0, 0, (Zone((), (), 0),)), Preset(b"Half", 1, 0, (Zone((), (), 1),)))
    font = Font({}, presets, (both, half), pair)

    assert [(s.link, s.kind) for s in subset_font(font, [(0, 0)]).samples] == [(1, 4), (0, 2)]
    assert [(s.link, s.kind) for s in subset_font(font, [(0, 1)]).samples] == [(None, 1)]


def test_attenuations_are_scaled_and_nothing_else() -> None:
    scaled = scale_attenuation(_small_font(), 0.4)

    assert [zone.generators for zone in scaled.instruments[0].zones] == [((SAMPLE_MODES, 1),), ((ATTENUATION, 40),)]
    assert scaled.presets == _small_font().presets


def test_compressed_samples_keep_length_sound_and_loop_and_compress_the_same_each_time() -> None:
    sample = _sine_sample(b"long", 40_000)

    compressed = compress_sample(sample)

    frames, rate_hz = soundfile.read(io.BytesIO(compressed.data))
    original = np.frombuffer(sample.data, "<i2") / 32768
    assert (rate_hz, len(frames)) == (22_050, 40_000)
    assert np.abs(frames - original).max() < 0.02
    assert (compressed.loop_start, compressed.loop_end, compressed.is_vorbis) == (1000, 2000, True)
    assert compress_sample(sample).data == compressed.data
    assert compress_sample(_sine_sample(b"short", 500)) == _sine_sample(b"short", 500)


def test_a_compressed_font_plays_like_the_plain_one(tmp_path: Path) -> None:
    font = _small_font()
    packed = Font(font.info, font.presets, font.instruments, tuple(compress_sample(s) for s in font.samples))
    waves = []
    for name, one in (("plain.sf2", font), ("packed.sf3", packed)):
        (tmp_path / name).write_bytes(write_font(one))
        waves.append(_note(SoundfontPlayer(tmp_path / name), 0.0, 69, sound=Sound(0, 7, "Both")))

    assert all(sample.is_vorbis for sample in packed.samples)
    assert np.abs(waves[0] - waves[1]).max() < 0.05 * np.abs(waves[0]).max()


def test_what_is_no_font_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="RIFF file of type sfbk"):
        parse_font(b"RIFF\0\0\0\0WAVE")
    with pytest.raises(ValueError, match="lacks the tables"):
        parse_font(b"RIFF" + struct.pack("<I", 4) + b"sfbk")
    with pytest.raises(ValueError, match="whole Ogg pages, found none at byte 0"):
        with_serial_number(b"not an ogg stream", 0)
    with pytest.raises(MissingDependencyError, match=r"absent\.sf2.*make corpus-tools"):
        build_sounds(tmp_path / "absent.sf2", tmp_path / "out.sf3")
