"""The band codec: what its levels say, how they are quantised, and what comes back."""

import json
import math
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from stemgen_core.codec.band_analysis import FLOOR_DB, LOWEST_HZ, BandAnalysis
from stemgen_core.codec.band_codec import (
    BAND_CODEC_PRESETS,
    MAGNITUDE_FLOOR,
    BandCodec,
    BandCodecConfig,
    quantise,
    scale,
    spectrum_of,
    to_decibels,
    to_logarithms,
)
from stemgen_core.codec.band_decoder import BandDecoder, LinearFit, nearby_frames
from stemgen_core.codec.codec_files import CONFIG_FILE, WEIGHTS_FILE
from stemgen_core.codec.phase import to_waveform
from stemgen_core.codec.token_level import TOKEN_LEVEL_DB
from stemgen_core.errors import CheckpointError

TINY = BAND_CODEC_PRESETS["tiny-bands"]
RATE_HZ, HOP = 32_000, 640


@pytest.fixture
def codec() -> BandCodec:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        codec = BandCodec(TINY)
        codec.codebooks = 0.5 * torch.randn_like(codec.codebooks)
        return codec


def noise(*shape: int, seed: int = 3) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.1


def tone(frequency_hz: float, amplitude: float = 0.5, num_audio_samples: int = RATE_HZ) -> torch.Tensor:
    seconds = torch.arange(num_audio_samples) / RATE_HZ
    return amplitude * (2 * math.pi * frequency_hz * seconds).sin()[None, None]


# ---- levels of bands ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("semitones", [12, 19, 24, 31, 36, 43, 48, 53])
def test_neighbouring_semitones_are_told_apart_below_1_khz(semitones: int) -> None:
    analysis = BandAnalysis(RATE_HZ, HOP)

    loudest = [
        int(analysis(tone(LOWEST_HZ * 2 ** (pitch / 12)))[0, :, 25].argmax()) for pitch in (semitones, semitones + 1)
    ]

    assert loudest == [semitones, semitones + 1]


@pytest.mark.parametrize("frequency_hz", [110.0, 700.0, 1500.0, 3500.0, 8000.0])
def test_twice_the_amplitude_is_6_db_more_and_full_scale_is_about_0_db(frequency_hz: float) -> None:
    analysis = BandAnalysis(RATE_HZ, HOP)

    loud, soft = (float(analysis(tone(frequency_hz, amplitude))[0, :, 25].max()) for amplitude in (1.0, 0.5))

    assert abs(loud - soft - 6.02) < 0.1
    assert -4 < loud < 4


def test_silence_is_at_the_floor_and_a_stroke_leaves_distant_frames_alone() -> None:
    analysis = BandAnalysis(RATE_HZ, HOP)
    stroke = torch.zeros(1, 1, RATE_HZ)
    stroke[..., 16_000] = 1.0

    assert (analysis(torch.zeros(1, 1, RATE_HZ)) == FLOOR_DB).all()
    levels = analysis(stroke)[0]
    high = levels[-10:].amax(0)  # a window of 1,024: one frame to each side at most
    assert set((high > FLOOR_DB).nonzero().flatten().tolist()) <= {23, 24, 25, 26}
    assert (levels[:, :20] == FLOOR_DB).all()
    assert (levels[:, 30:] == FLOOR_DB).all()


def test_every_frequency_in_range_is_heard_once() -> None:
    analysis = BandAnalysis(RATE_HZ, HOP)
    for length, low_hz, high_hz in ((4096, 400, 900), (2048, 1100, 3500), (1024, 4500, 12_000)):
        passed = analysis.get_buffer(f"filters_{length}").sum(0)
        bins = slice(low_hz * length // RATE_HZ, high_hz * length // RATE_HZ)
        assert (passed[bins] - 1).abs().max() < 0.02


@pytest.mark.parametrize("seed", range(5))
def test_only_bins_that_are_read_are_computed_and_nothing_is_lost(seed: int) -> None:
    audio = noise(2, 1, 7 * HOP + 100, seed=seed)
    analysis = BandAnalysis(RATE_HZ, HOP)

    found = analysis(audio)

    first_band = 0
    for window_length in (4096, 2048, 1024):
        filters = analysis.get_buffer(f"filters_{window_length}").double()  # [bands, all bins]
        window = torch.hann_window(window_length).double()
        for frame in range(8):
            middle = frame * HOP + HOP // 2
            around = torch.nn.functional.pad(audio[1, 0].double(), (4096, 8192))
            cut = around[4096 + middle - window_length // 2 :][:window_length]
            power = (torch.fft.rfft(cut * window) * 2 / window.sum()).abs().square()
            wanted = (10 * (filters @ power + 1e-9).log10()).clamp(min=FLOOR_DB)
            assert (found[1, first_band : first_band + len(filters), frame] - wanted).abs().max() < 0.01
        first_band += len(filters)


def test_scaled_levels_go_from_minus_one_to_one() -> None:
    assert scale(torch.tensor([FLOOR_DB, 0.0])).tolist() == [-1.0, 1.0]
    assert float(to_decibels(scale(torch.tensor(-10.0)) - scale(torch.tensor(-16.0)))) == pytest.approx(6.0)


# ---- quantising ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_with_all_candidates_the_nearest_sum_is_found(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    codebooks = torch.randn(3, 4, 5, generator=generator)
    rows = torch.randn(7, 5, generator=generator)

    found = quantise(rows, codebooks, num_candidates=64)

    for row, codes in zip(rows, found, strict=True):
        sums = {choice: sum(codebooks[k, v] for k, v in enumerate(choice)) for choice in product(range(4), repeat=3)}
        nearest = min(sums, key=lambda choice: float((row - sums[choice]).square().sum()))
        assert tuple(codes.tolist()) == nearest


def test_more_candidates_never_err_more() -> None:
    generator = torch.Generator().manual_seed(0)
    codebooks = torch.randn(4, 32, 10, generator=generator) * torch.tensor([1.0, 0.6, 0.4, 0.3])[:, None, None]
    rows = torch.randn(500, 10, generator=generator)

    def error(num_candidates: int) -> float:
        codes = quantise(rows, codebooks, num_candidates=num_candidates)
        sums = torch.stack([codebooks[level][codes[:, level]] for level in range(4)]).sum(0)
        return float((rows - sums).square().mean())

    errors = [error(count) for count in (1, 3, 16)]
    assert errors[0] > errors[1] > errors[2]


@pytest.mark.parametrize("seed", range(5))
def test_blocks_are_a_short_cut_to_the_same_codes(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    codebooks = torch.randn(3, 512, 6, generator=generator) * torch.tensor([1.0, 0.5, 0.3])[:, None, None]
    rows = torch.randn(40, 6, generator=generator)

    found = quantise(rows, codebooks, num_candidates=3)

    for row, codes in zip(rows, found, strict=True):
        kept = [(0.0, ())]  # (distance, codes) of the best three sums, level by level, all sums looked at
        for level in range(3):
            longer = []
            for _, before in kept:
                rest = row - sum((codebooks[k, v] for k, v in enumerate(before)), torch.zeros(6))
                distances = (rest - codebooks[level]).square().sum(-1).tolist()
                longer += [(distance, (*before, entry)) for entry, distance in enumerate(distances)]
            kept = sorted(longer)[:3]
        assert tuple(codes.tolist()) == kept[0][1]


# ---- the codec ----------------------------------------------------------------------------------------------------


def test_the_real_layout_gives_50_frames_of_4_codes_below_2048_for_a_second() -> None:
    codec = BandCodec(BandCodecConfig())

    codes = codec.encode(noise(1, 1, RATE_HZ))

    assert (codec.spec.frame_rate_hz, codec.spec.num_codebooks, codec.spec.codebook_size) == (50.0, 4, 2048)
    assert codes.shape == (1, 4, 50)
    assert codec.decode(codes).shape == (1, 1, RATE_HZ)


@pytest.mark.parametrize(("num_audio_samples", "num_frames"), [(640, 1), (641, 2), (31_999, 50), (32_001, 51)])
def test_the_last_frame_may_be_partial(codec: BandCodec, num_audio_samples: int, num_frames: int) -> None:
    codes = codec.encode(noise(2, 1, num_audio_samples))

    assert codes.shape == (2, 2, num_frames)
    assert codec.decode(codes).shape == (2, 1, num_frames * HOP)


def test_a_frame_of_codes_says_what_its_frame_of_sound_is(codec: BandCodec) -> None:
    first, second = noise(1, 1, 20 * HOP), noise(1, 1, 20 * HOP, seed=4)
    joined = torch.cat([first, second], 2)

    # Away from the seam, by the longest window, the codes are those of each alone.
    assert torch.equal(codec.encode(joined)[..., :16], codec.encode(first)[..., :16])
    assert torch.equal(codec.encode(joined)[..., 24:], codec.encode(second)[..., 4:])


def test_rests_have_the_codes_that_silence_has(codec: BandCodec) -> None:
    audio = noise(1, 1, 60 * HOP)
    audio[..., 20 * HOP : 40 * HOP] = 0
    silence = codec.encode(torch.zeros(1, 1, 5 * HOP))
    levels = scale(codec.analysis(audio))[0].T  # [T, F]

    codes = codec.encode(audio)[0]

    assert torch.equal(codes[:, 24:36], silence[0, :, :1].expand(-1, 12))
    assert torch.equal(codes, quantise(levels, codec.codebooks).T)


@pytest.mark.parametrize("seed", range(5))
def test_the_linear_map_that_made_spectra_is_found(seed: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made_by, decoder = (BandDecoder(3, width=8, num_blocks=1, num_bins=5) for _ in range(2))
        bands = torch.rand(4, 3, 60) * 2 - 1
    fit = LinearFit(decoder, ridge=1e-6)
    for some in bands.split(2):
        fit.add(some, made_by(some))

    fit.solve()

    assert torch.allclose(decoder(bands), made_by(bands), atol=1e-3)


def test_frames_around_a_frame_are_silent_beyond_the_ends() -> None:
    bands = torch.tensor([[[-0.5, 0.0, 0.5]]])

    around = nearby_frames(bands)

    assert around.tolist() == [[[0, 0, 0, 0.5, 1, 1.5, 0], [0, 0, 0.5, 1, 1.5, 0, 0], [0, 0.5, 1, 1.5, 0, 0, 0]]]


def test_what_is_predicted_at_the_floor_is_silence(codec: BandCodec) -> None:
    with torch.no_grad():
        codec.decoder.direct.weight.zero_()
        codec.decoder.direct.bias.fill_(math.log(MAGNITUDE_FLOOR) - 1e-4)

    assert not codec.decode(torch.zeros(1, 2, 10, dtype=torch.long)).any()


def test_predictions_are_magnitudes_above_the_floor() -> None:
    magnitude = torch.tensor([0.0, 0.02, 1.0, 500.0])

    assert torch.allclose(to_logarithms(magnitude).exp() - MAGNITUDE_FLOOR, magnitude, atol=1e-4)


def test_a_hiss_at_the_floor_is_far_below_a_stem() -> None:
    hiss = to_waveform(torch.full((1, 1025, 200), MAGNITUDE_FLOOR), hop_length=320, num_rounds=4)

    assert 20 * math.log10(float(hiss.square().mean().sqrt())) < TOKEN_LEVEL_DB - 40


def test_the_decoder_learns_magnitudes_at_twice_the_rate_of_the_codes() -> None:
    audio = noise(2, 1, 10 * HOP)

    assert spectrum_of(audio, HOP).shape == (2, 1025, 20)


def test_a_saved_codec_gives_the_same_codes_and_audio(codec: BandCodec, tmp_path: Path) -> None:
    audio = noise(1, 1, 6400)
    codes = codec.encode(audio)
    codec.save(tmp_path / "codec")

    loaded = BandCodec.load(tmp_path / "codec")
    loaded.save(tmp_path / "again")

    assert torch.equal(loaded.encode(audio), codes)
    before, after = codec.decode(codes), loaded.decode(codes)
    assert (after - before).square().mean() < 1e-4 * before.square().mean()  # 16 bits: 40 dB below at the very most
    assert (tmp_path / "again" / WEIGHTS_FILE).read_bytes() == (tmp_path / "codec" / WEIGHTS_FILE).read_bytes()


@pytest.mark.parametrize("shape", [(1, 2, 640), (1, 1, 0), (640,)])
def test_audio_that_is_not_mono_is_refused(codec: BandCodec, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be"):
        codec.encode(torch.zeros(shape))


@pytest.mark.parametrize(
    "codes",
    [torch.zeros(1, 3, 5).long(), torch.full((1, 2, 5), 16), torch.full((1, 2, 5), -1), torch.zeros(1, 2, 0).long()],
)
def test_codes_of_another_layout_are_refused(codec: BandCodec, codes: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="codes must be"):
        codec.decode(codes)


def test_damaged_files_are_refused(codec: BandCodec, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        BandCodec.load(tmp_path)
    codec.save(tmp_path)
    weights = load_file(tmp_path / WEIGHTS_FILE)
    save_file({name: value for name, value in weights.items() if name != "codebooks"}, tmp_path / WEIGHTS_FILE)
    with pytest.raises(CheckpointError, match="codebooks do not fit"):
        BandCodec.load(tmp_path)
    save_file({"codebooks": weights["codebooks"]}, tmp_path / WEIGHTS_FILE)
    with pytest.raises(CheckpointError, match="do not fit"):
        BandCodec.load(tmp_path)
    (tmp_path / WEIGHTS_FILE).write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="weights cannot be read"):
        BandCodec.load(tmp_path)


@pytest.mark.parametrize("change", [{"hop_length": 641}, {"width": 0}, {"unknown": 1}, {"codebook_size": "many"}])
def test_a_nonsensical_configuration_is_refused(codec: BandCodec, tmp_path: Path, change: dict[str, object]) -> None:
    codec.save(tmp_path)
    config = json.loads((tmp_path / CONFIG_FILE).read_text())
    (tmp_path / CONFIG_FILE).write_text(json.dumps(config | change))

    with pytest.raises(CheckpointError, match="configuration"):
        BandCodec.load(tmp_path)


def test_sizes_out_of_range_are_refused() -> None:
    for change in ({"num_rounds": -1}, {"sample_rate_hz": 32_001}, {"num_codebooks": 0}):
        with pytest.raises(ValueError, match=r"sizes|multiple"):
            replace(TINY, **change)
