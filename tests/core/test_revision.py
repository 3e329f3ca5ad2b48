"""Making part of a stem again: what stays, what is hidden, and the seams."""

import pytest
import torch

from stemgen_core.errors import InvalidRequestError
from stemgen_core.generator import GenerationRequest, StemGenerator
from stemgen_core.revision import CROSSFADE_S, Revision
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.score import Note
from stemgen_core.types import Waveform
from tests.core.tiny_models import TOY_SPEC, tone, write_score_bundle

QUICK = SamplingSettings(num_steps=(2, 1))
RATE_HZ = 8_000


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> StemGenerator:
    """Return an untrained model of the score family with the real sounds; its window is 4 s."""
    folder = tmp_path_factory.mktemp("bundle")
    write_score_bundle(folder)
    return StemGenerator.load(folder)


def revision(start_s: float, end_s: float, *, duration_s: float = 4.0, notes: tuple[Note, ...] | None = ()) -> Revision:
    return Revision(Waveform(torch.ones(1, round(duration_s * RATE_HZ)), RATE_HZ), notes, start_s, end_s, sound_seed=0)


@pytest.mark.parametrize("instrument", ["piano", "bass", "drums"])
@pytest.mark.parametrize("duration_s", [1.5, 3.0, 9.0], ids=["loop", "one window", "three windows"])
def test_outside_the_part_every_sample_and_note_stays(
    duration_s: float, instrument: str, generator: StemGenerator
) -> None:
    context = tone(duration_s, RATE_HZ)
    first = generator.generate(context, GenerationRequest(instrument, 1, QUICK))
    start_s, end_s = 0.4 * duration_s, 0.7 * duration_s
    again = Revision(first.stem, first.notes, start_s, end_s, sound_seed=1)

    second = generator.generate(context, GenerationRequest(instrument, 2, QUICK, revision=again))

    start, end = round(start_s * RATE_HZ), round(end_s * RATE_HZ)
    assert torch.equal(second.stem.samples[:, :start], first.stem.samples[:, :start])
    assert torch.equal(second.stem.samples[:, end:], first.stem.samples[:, end:])
    assert not torch.equal(second.stem.samples[:, start:end], first.stem.samples[:, start:end])
    assert first.notes is not None
    assert second.notes is not None
    outside = [note for note in first.notes if note.end_s <= start_s or note.start_s >= end_s]
    assert outside
    assert set(outside) <= set(second.notes)
    starts = [
        [note.start_s for note in notes if start_s <= note.start_s < end_s] for notes in (first.notes, second.notes)
    ]
    assert starts[0] != starts[1]


def test_one_seed_revises_alike_and_another_otherwise(generator: StemGenerator) -> None:
    context = tone(3.0, RATE_HZ)
    first = generator.generate(context, GenerationRequest("piano", 1, QUICK))
    again = Revision(first.stem, first.notes, 1.0, 2.0, sound_seed=1)

    results = [
        generator.generate(context, GenerationRequest("piano", seed, QUICK, revision=again)) for seed in (5, 5, 6)
    ]

    assert results[0].notes == results[1].notes != results[2].notes
    assert torch.equal(results[0].stem.samples, results[1].stem.samples)


def test_the_model_sees_the_stem_on_both_sides_of_the_gap_in_every_repetition() -> None:
    is_hidden = revision(0.25, 0.5, duration_s=1.0).hidden_frames(TOY_SPEC, 300, (0.0, 1.0, 2.0))

    expected = torch.zeros(300, dtype=torch.bool)
    for number in range(3):
        expected[100 * number + 25 : 100 * number + 50] = True
    assert torch.equal(is_hidden, expected)


@pytest.mark.parametrize(("start_s", "end_s", "frames"), [(0.251, 0.499, (25, 50)), (0.0, 1.0, (0, 100))])
def test_frames_that_are_partly_new_are_hidden(start_s: float, end_s: float, frames: tuple[int, int]) -> None:
    is_hidden = revision(start_s, end_s, duration_s=1.0).hidden_frames(TOY_SPEC, 100, (0.0,))

    assert is_hidden.nonzero()[[0, -1], 0].tolist() == [frames[0], frames[1] - 1]


def test_notes_are_cut_at_the_borders_and_none_is_lost_outside() -> None:
    old = (Note(0.0, 60, 3.0, 80), Note(1.5, 62, 0.2, 80), Note(1.9, 64, 0.5, 80), Note(2.0, 65, 1.0, 80))
    made = [Note(0.5, 70, 0.2, 90), Note(1.0, 71, 3.0, 90), Note(1.75, 72, 0.5, 90), Note(2.0, 73, 0.5, 90)]

    joined = revision(1.0, 2.0, notes=old).join_notes(made)

    assert joined == (
        Note(0.0, 60, 1.0, 80),
        Note(1.0, 71, 1.0, 90),
        Note(1.75, 72, 0.25, 90),
        Note(2.0, 65, 1.0, 80),
    )


def test_the_seams_are_crossfades_within_the_part() -> None:
    made = Waveform(torch.full((2, 4 * RATE_HZ), -1.0), RATE_HZ)

    joined = revision(1.0, 2.0).join_audio(made).samples

    fade = round(CROSSFADE_S * RATE_HZ)
    assert joined.shape == (2, 4 * RATE_HZ)
    assert (joined[:, :RATE_HZ] == 1).all()
    assert (joined[:, 2 * RATE_HZ :] == 1).all()
    assert (joined[:, RATE_HZ + fade : 2 * RATE_HZ - fade] == -1).all()
    assert joined.diff().abs().max() <= 2 / (fade - 1) + 1e-6


def test_a_part_at_the_edges_begins_and_ends_new() -> None:
    made = Waveform(torch.full((1, 4 * RATE_HZ), -1.0), RATE_HZ)

    assert (revision(0.0, 4.0).join_audio(made).samples == -1).all()


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (revision(1.0, 1.05), "Choose at least 0.1 s within the 4.00 s"),
        (revision(-0.1, 1.0), "not -0.10 to 1.00 s"),
        (revision(3.0, 4.1), "not 3.00 to 4.10 s"),
        (revision(1.0, 2.0, duration_s=3.9), r"\(3.90 s at 8000 Hz\) must have the length and rate"),
        (revision(1.0, 2.0, notes=None), "This stem's notes are not known"),
    ],
)
def test_what_cannot_be_joined_is_refused(part: Revision, message: str, generator: StemGenerator) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        generator.generate(tone(4.0, RATE_HZ), GenerationRequest("piano", 0, QUICK, revision=part))
