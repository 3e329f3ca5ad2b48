import pytest
import torch

from stemgen_core.codec.band_codec import BAND_CODEC_PRESETS, BandCodec
from stemgen_core.codec.encodec import ENCODEC_PRESETS, EncodecCodec
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.training.families import AudioFamily
from stemgen_core.training.token_space import place_profiles, place_tokens


def _model_and_codebooks() -> tuple[StemTransformer, torch.Tensor]:
    torch.manual_seed(0)
    codec = BandCodec(BAND_CODEC_PRESETS["tiny-bands"])
    steps = torch.tensor([1.0, 0.2])[:, None, None]  # the second level refines the first
    codec.codebooks = steps * torch.randn(codec.codebooks.shape)
    codec.codebooks[0, 1] = codec.codebooks[0, 0] + 0.01  # two that sound alike
    return StemTransformer(AudioFamily(codec).model_config("tiny")), codec.codebooks


@torch.no_grad()
def test_entries_that_sound_alike_start_near_each_other_in_tables_and_heads() -> None:
    model, codebooks = _model_and_codebooks()

    place_tokens(model, codebooks)

    for weight in (next(model.embedding.tokens.tables[0].parameters()), next(model.heads[0].parameters())):
        distance = torch.cdist(weight[:16], weight[:16])
        assert distance[0, 1] < 0.5 * distance[0, 2:].min()


@torch.no_grad()
def test_finer_levels_say_as_much_less_as_their_entries_do() -> None:
    model, codebooks = _model_and_codebooks()

    place_tokens(model, codebooks)

    coarse, fine = (next(table.parameters())[:16].std() for table in model.embedding.tokens.tables)
    assert 0.15 < fine / coarse < 0.45  # 0.2 beside the entries' own random part


@torch.no_grad()
def test_the_mask_token_and_a_codec_without_entries_keep_the_random_start() -> None:
    model, codebooks = _model_and_codebooks()
    before = {name: value.clone() for name, value in model.state_dict().items()}

    place_tokens(model, torch.zeros_like(codebooks))
    untrained = dict(model.state_dict())
    assert all(torch.equal(before[name], untrained[name]) for name in before)

    place_tokens(model, codebooks)
    name = "embedding.tokens.tables.0.weight"
    assert torch.equal(before[name][-1], model.state_dict()[name][-1])


def test_codebooks_of_another_layout_are_refused() -> None:
    model, codebooks = _model_and_codebooks()
    with pytest.raises(ValueError, match="codebooks are"):
        place_tokens(model, codebooks[:1])


def test_an_encodec_says_where_its_entries_lie() -> None:
    codec = EncodecCodec(ENCODEC_PRESETS["tiny"])
    codes = torch.randint(16, (1, 2, 3))

    assert codec.codebooks.shape == (2, 16, 8)
    summed = codec.codebooks[0, codes[0, 0]] + codec.codebooks[1, codes[0, 1]]
    decoded = codec.model.get_submodule("quantizer").decode(codes)  # pyright: ignore[reportCallIssue]
    assert torch.allclose(decoded[0].T, summed)


def _model_that_hears_bands() -> tuple[StemTransformer, BandCodec]:
    torch.manual_seed(0)
    codec = BandCodec(BAND_CODEC_PRESETS["tiny-bands"])
    codec.codebooks = 0.02 * torch.randn(codec.codebooks.shape)
    return StemTransformer(AudioFamily(codec, "bands").model_config("tiny")), codec


@torch.no_grad()
@pytest.mark.parametrize(("pitch", "place"), [(33, 9), (47, 11), (48, 12), (69, 21), (72, 24), (79, 31)])
def test_an_entry_that_holds_a_note_starts_with_its_pitch_class_in_its_register(pitch: int, place: int) -> None:
    model, codec = _model_that_hears_bands()
    pitches = codec.analysis.first_pitches
    codec.codebooks[0, 5, (pitches - pitch).abs().argmin()] = 1.0

    place_profiles(model, codec.codebooks, pitches)

    profiles = dict(model.named_parameters())["harmony.profiles"]
    assert profiles.shape == (1, 16, 36)
    assert profiles[0].flatten().argmax() == 5 * 36 + place


@torch.no_grad()
def test_a_level_over_all_bands_holds_no_pitch_class_more_than_others() -> None:
    model, codec = _model_that_hears_bands()
    codec.codebooks[0, 3] = 0.5
    codec.codebooks[0, 4, 20] = 0.5

    place_profiles(model, codec.codebooks, codec.analysis.first_pitches)

    profiles = dict(model.named_parameters())["harmony.profiles"][0]
    assert profiles[3].abs().max() < 0.2 * profiles[4].abs().max()


@torch.no_grad()
def test_an_untrained_codec_leaves_profiles_as_they_are_and_other_models_have_none() -> None:
    model, codec = _model_that_hears_bands()
    before = dict(model.named_parameters())["harmony.profiles"].clone()

    place_profiles(model, torch.zeros_like(codec.codebooks), codec.analysis.first_pitches)

    assert torch.equal(dict(model.named_parameters())["harmony.profiles"], before)
    with pytest.raises(ValueError, match="does not hear what sounds hold"):
        place_profiles(_model_and_codebooks()[0], codec.codebooks, codec.analysis.first_pitches)


def test_the_first_bands_of_the_analysis_are_the_pitches_of_their_names() -> None:
    codec = BandCodec(BAND_CODEC_PRESETS["tiny-bands"])
    seconds = torch.arange(32_000) / 32_000
    for pitch in (30, 45, 60, 75):
        sine = torch.sin(2 * torch.pi * 440 * 2 ** ((pitch - 69) / 12) * seconds)
        loudest = codec.analysis(sine[None, None])[0, :, 25].argmax()
        assert abs(codec.analysis.first_pitches[loudest] - pitch) < 0.51


@torch.no_grad()
def test_a_family_that_hears_bands_places_tokens_and_profiles_and_one_that_hears_codes_has_none() -> None:
    model, codec = _model_that_hears_bands()
    before = {name: value.clone() for name, value in model.state_dict().items()}

    AudioFamily(codec, "bands").prepare(model)

    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert "harmony.profiles" in changed
    assert "embedding.tokens.tables.0.weight" in changed
    assert StemTransformer(AudioFamily(codec).model_config("tiny")).harmony is None
