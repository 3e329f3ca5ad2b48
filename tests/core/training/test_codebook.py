"""Codebooks start from the data, and unused entries come back to life."""

import torch
from torch import nn

from stemgen_core.codec.audiocraft_parts import load_audiocraft_parts
from stemgen_core.training.codebook import restart_dead_codes


def quantizer_with(threshold: int = 0) -> nn.Module:
    parts = load_audiocraft_parts()
    return parts.ResidualVectorQuantizer(
        dimension=4, n_q=2, bins=8, kmeans_init=False, threshold_ema_dead_code=threshold
    ).train()


def latents() -> torch.Tensor:
    return torch.randn(3, 4, 20, generator=torch.Generator().manual_seed(2)) + 5.0  # [B, D, T]


def codebook(quantizer: nn.Module, level: int) -> nn.Module:
    return quantizer.get_submodule(f"vq.layers.{level}._codebook")


def test_the_first_call_fills_every_codebook_with_residuals_that_occur() -> None:
    quantizer = quantizer_with()

    replaced = restart_dead_codes(quantizer, latents(), generator=torch.Generator().manual_seed(0))

    rows = latents().transpose(1, 2).flatten(0, 1)
    entries = codebook(quantizer, 0).get_buffer("embed")
    assert replaced == [8, 8]
    assert all((rows == entry).all(-1).any() for entry in entries)
    assert len(entries.unique(dim=0)) == 8
    assert codebook(quantizer, 1).get_buffer("embed").abs().mean() < 2.5  # residuals are near 0, latents near 5


def test_entries_in_use_are_left_alone() -> None:
    quantizer = quantizer_with()
    restart_dead_codes(quantizer, latents(), generator=torch.Generator().manual_seed(0))
    codebook(quantizer, 0).get_buffer("cluster_size")[3] = 0.0
    before = codebook(quantizer, 0).get_buffer("embed").clone()

    replaced = restart_dead_codes(quantizer, latents(), generator=torch.Generator().manual_seed(9))

    changed = (codebook(quantizer, 0).get_buffer("embed") != before).any(-1).nonzero().flatten().tolist()
    assert replaced[0] == 1
    assert changed == [3]


def test_a_restarted_entry_survives_the_next_update() -> None:
    quantizer = quantizer_with()
    restart_dead_codes(quantizer, latents(), generator=torch.Generator().manual_seed(0))
    far = torch.full((1, 4, 2), 50.0)  # frames that use none of the entries but the nearest
    before = codebook(quantizer, 0).get_buffer("embed").clone()

    quantizer(far, 50)

    after = codebook(quantizer, 0).get_buffer("embed")
    unmoved = torch.isclose(after, before, rtol=1e-3).all(-1).sum()
    assert int(unmoved) == 7


def test_a_batch_too_small_to_use_every_entry_revives_none_that_is_in_even_use() -> None:
    quantizer, few = quantizer_with(), latents()[:1, :, :4]  # 4 frames for 8 entries
    restart_dead_codes(quantizer, few, generator=torch.Generator().manual_seed(0))
    for _ in range(30):
        codebook(quantizer, 0).get_buffer("cluster_size").mul_(0.99)  # as if no frame had used them

    assert restart_dead_codes(quantizer, few, generator=torch.Generator().manual_seed(1))[0] == 0


def test_audiocrafts_own_restart_has_no_effect() -> None:
    updated = {}
    for threshold in (0, 2):
        quantizer = quantizer_with(threshold)
        for level in (0, 1):
            book = codebook(quantizer, level)
            values = torch.arange(32.0).reshape(8, 4) + level
            book.get_buffer("embed").copy_(values)
            book.get_buffer("embed_avg").copy_(values)
        quantizer(latents(), 50)
        updated[threshold] = codebook(quantizer, 0).get_buffer("embed").clone()

    assert torch.equal(updated[0], updated[2])


def test_more_entries_than_frames_are_filled_by_repeating() -> None:
    quantizer = quantizer_with()

    restart_dead_codes(quantizer, latents()[:1, :, :3], generator=torch.Generator().manual_seed(0))

    assert len(codebook(quantizer, 0).get_buffer("embed").unique(dim=0)) == 3
