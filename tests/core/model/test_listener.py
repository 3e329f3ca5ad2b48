"""The contrastive listener: what it compares, and its file."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from stemgen_core.errors import CheckpointError
from stemgen_core.model.listener import ContrastiveListener, ListenerConfig

CONFIG = ListenerConfig(num_context_features=5, num_stem_rows=7, width=8, num_blocks=2, dim=4)


def listener(seed: int = 0) -> ContrastiveListener:
    torch.manual_seed(seed)
    return ContrastiveListener(CONFIG).eval()


def random_pairs(count: int, num_frames: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(count)
    return torch.rand(count, 5, num_frames, generator=rng), torch.rand(count, 7, num_frames, generator=rng)


def test_a_score_is_the_mean_over_frames_of_inner_products() -> None:
    one, (features, rows) = listener(), random_pairs(3)

    scores = one.score(features, rows)

    with torch.no_grad():
        contexts, stems, sharpness = one.embed_contexts(features), one.embed_stems(rows), float(one.sharpness)
    for item in range(3):
        products = [float(contexts[item, :, frame] @ stems[item, :, frame]) for frame in range(20)]
        assert float(scores[item]) == pytest.approx(sharpness * sum(products) / 20 / 2, abs=1e-5)  # 2 = sqrt of D


def test_all_against_all_has_the_pairs_on_its_diagonal() -> None:
    one, (features, rows) = listener(), random_pairs(4)

    with torch.no_grad():
        table = one.compare_all(one.embed_contexts(features), one.embed_stems(rows))

    assert table.shape == (4, 4)
    torch.testing.assert_close(table.diagonal(), one.score(features, rows))
    torch.testing.assert_close(table[1, 2], one.score(features[1:2], rows[2:3])[0])


def test_an_encoder_does_not_know_where_a_window_begins() -> None:
    one, (_, rows) = listener(), random_pairs(1, 40)
    reach = 1 + 2  # of two blocks

    with torch.no_grad():
        whole, part = one.embed_stems(rows), one.embed_stems(rows[..., 10:30])

    torch.testing.assert_close(part[..., reach:-reach], whole[..., 10 + reach : 30 - reach])


def test_a_file_comes_back_as_it_was_up_to_half_precision(tmp_path: Path) -> None:
    one, (features, rows) = listener(), random_pairs(2)
    one.save(tmp_path / "folder" / "one.safetensors", {"steps": 3})

    again = ContrastiveListener.load(tmp_path / "folder" / "one.safetensors")

    assert again.config == CONFIG
    assert not again.training
    torch.testing.assert_close(again.score(features, rows), one.score(features, rows), atol=1e-2, rtol=1e-2)
    again.save(tmp_path / "again.safetensors", {"steps": 3})
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "folder" / "one.safetensors").read_bytes()


def test_what_is_no_listener_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no readable listener"):
        ContrastiveListener.load(tmp_path / "nothing")
    (tmp_path / "text").write_text("not tensors")
    with pytest.raises(CheckpointError, match="no readable listener"):
        ContrastiveListener.load(tmp_path / "text")
    save_file({"weight": torch.zeros(1)}, tmp_path / "other")
    with pytest.raises(CheckpointError, match="no listener of this version"):
        ContrastiveListener.load(tmp_path / "other")


def test_a_file_that_lacks_a_tensor_is_told(tmp_path: Path) -> None:
    class Half(ContrastiveListener):
        def state_dict(self, *args: object, **kwargs: object) -> dict[str, torch.Tensor]:
            return dict(list(super().state_dict().items())[:3])

    Half(CONFIG).save(tmp_path / "half", {})

    with pytest.raises(CheckpointError, match="does not fit its own sizes"):
        ContrastiveListener.load(tmp_path / "half")


def test_which_keys_fit_is_the_same_question_in_every_key() -> None:
    """A mix and a stem that move alike keep what their keys say; one that moves alone does not."""
    torch.manual_seed(0)
    config = ListenerConfig(60, 100, width=8, num_blocks=1, dim=4, num_semitones=60, num_keys=50, first_key=-3)
    reader = ContrastiveListener(config).eval().key_reader
    assert reader is not None
    mix, keys = torch.zeros(1, 60, 20), torch.zeros(1, 100, 20)
    mix[0, [30, 34, 37]] = 1.0
    keys[0, 50 + 33] = 1.0  # semitone 30 of the mix, sounding

    with torch.no_grad():
        here, there = reader(mix), reader(mix.roll(2, 1))

    torch.testing.assert_close((here * keys).sum(), (there * keys.roll(2, 1)).sum())
    assert not torch.allclose((here * keys).sum(), (here * keys.roll(2, 1)).sum(), atol=1e-3)


def test_sizes_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        ListenerConfig(0, 7)
