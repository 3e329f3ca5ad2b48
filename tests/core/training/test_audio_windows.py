"""Training windows out of a corpus on disk."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stemgen_core.errors import InvalidRequestError
from stemgen_core.training.audio_windows import CorpusWindows
from stemgen_core.training.codec import CODEC_TRAINING_PRESETS, train_codec

RATE_HZ = 32_000


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def write_corpus(folder: Path, stems: np.ndarray, num_pieces: int = 20) -> Path:
    """Write a corpus whose pieces all hold the same stems, int16 [S, L]; the 20th is held out."""
    (folder / "pieces").mkdir(parents=True)
    (folder / "manifest.json").write_text(
        json.dumps({"format_version": 1, "num_pieces": num_pieces, "sample_rate_hz": RATE_HZ})
    )
    for index in range(num_pieces):
        np.save(folder / "pieces" / f"{index:06d}.npy", stems)
        (folder / "pieces" / f"{index:06d}.json").write_text("{}")
    return folder


def tones(num_samples: int = RATE_HZ) -> np.ndarray:
    times = np.arange(num_samples) / RATE_HZ
    return np.stack([3000 * np.sin(2 * np.pi * pitch * times) for pitch in (110, 550, 2750)]).astype(np.int16)


def test_windows_have_the_asked_shape_and_stay_below_full_scale(tmp_path: Path) -> None:
    windows = CorpusWindows.open(write_corpus(tmp_path, tones() * 8), "train")

    drawn = windows.draw(30, 6400, generator=generator())

    assert drawn.shape == (30, 1, 6400)
    assert drawn.dtype == torch.float32
    assert 0.5 < float(drawn.abs().max()) <= 0.9901


def test_the_same_generator_draws_the_same_and_another_draws_other_windows(tmp_path: Path) -> None:
    windows = CorpusWindows.open(write_corpus(tmp_path, tones()), "train")

    first, again, other = (windows.draw(4, 640, generator=generator(seed)) for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_about_half_of_the_windows_are_single_stems(tmp_path: Path) -> None:
    windows = CorpusWindows.open(write_corpus(tmp_path, tones()), "train")

    spectra = torch.fft.rfft(windows.draw(200, 3200, generator=generator())[:, 0]).abs()  # [B, F], 10 Hz per bin
    levels = spectra[:, [11, 55, 275]]
    num_tones = (levels > 0.05 * levels.amax(-1, keepdim=True)).sum(-1)

    assert 70 <= int((num_tones == 1).sum()) <= 130
    assert {1, 2, 3} == set(num_tones.tolist())


def test_silence_is_left_out_where_there_is_sound(tmp_path: Path) -> None:
    stems = tones(4 * RATE_HZ)
    stems[:, : 2 * RATE_HZ] = 0
    windows = CorpusWindows.open(write_corpus(tmp_path, stems), "train")

    drawn = windows.draw(60, 640, generator=generator())

    assert float(drawn.square().mean(-1).sqrt().min()) > 0.0005


def test_a_silent_corpus_gives_silence_rather_than_hanging(tmp_path: Path) -> None:
    windows = CorpusWindows.open(write_corpus(tmp_path, np.zeros((2, 6400), np.int16)), "train")

    assert float(windows.draw(2, 640, generator=generator()).abs().max()) == 0.0


def test_a_piece_shorter_than_the_window_is_padded_with_silence(tmp_path: Path) -> None:
    windows = CorpusWindows.open(write_corpus(tmp_path, tones(1000)), "train")

    drawn = windows.draw(3, 1600, generator=generator())

    assert float(drawn[..., 1000:].abs().max()) == 0.0
    assert float(drawn[..., :1000].abs().max()) > 0.0


def test_a_corpus_without_held_out_pieces_is_refused(tmp_path: Path) -> None:
    write_corpus(tmp_path, tones(), num_pieces=3)

    with pytest.raises(InvalidRequestError, match="no finished pieces of the heldout split"):
        CorpusWindows.open(tmp_path, "heldout")


def test_the_codec_trains_from_a_corpus_folder(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", tones())

    result = train_codec(corpus, tmp_path / "run", CODEC_TRAINING_PRESETS["tiny"])

    assert result.is_finished
    assert result.held_out_loss is not None
    assert (result.codec_path / "codec.safetensors").exists()
