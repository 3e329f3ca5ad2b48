"""Muon in 32 bits: it must be the optimiser that torch has, only quicker where bfloat16 is slow."""

import pytest
import torch

from stemgen_core.training import muon
from stemgen_core.training.muon import Muon, orthogonalise

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def gradients(shape: tuple[int, int], num_steps: int, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for _ in range(num_steps)]


def moved_by(optimizer: torch.optim.Optimizer, matrix: torch.nn.Parameter, steps: list[torch.Tensor]) -> torch.Tensor:
    before = matrix.detach().clone()
    for gradient in steps:
        matrix.grad = gradient.clone()
        optimizer.step()
    return matrix.detach() - before


@pytest.mark.parametrize("shape", [(12, 40), (40, 12), (24, 24)])
@pytest.mark.parametrize("seed", range(10))
def test_directions_stay_and_all_singular_values_come_near_one(shape: tuple[int, int], seed: int) -> None:
    matrix = gradients(shape, 1, seed)[0]

    found = orthogonalise(matrix, COEFFICIENTS, 5, 1e-7)

    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    seen = left.T @ found @ right.T  # diagonal where the singular vectors are the same
    assert torch.allclose(seen, torch.diag(seen.diagonal()), atol=1e-3)
    strong = torch.linalg.svdvals(matrix) > 0.05 * torch.linalg.matrix_norm(matrix)
    assert ((seen.diagonal()[strong] > 0.6) & (seen.diagonal()[strong] < 1.3)).all()


def test_a_zero_gradient_gives_zero() -> None:
    assert not orthogonalise(torch.zeros(3, 5), COEFFICIENTS, 5, 1e-7).any()


@pytest.mark.parametrize("shape", [(16, 48), (48, 16)])
@pytest.mark.parametrize("seed", range(5))
def test_it_moves_as_torchs_own_does_but_for_rounding(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], seed: int
) -> None:
    monkeypatch.setattr(muon, "gains_by_bfloat16", lambda: False)
    start, *steps = gradients(shape, 7, seed)
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    reference = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")

    own = moved_by(Muon([ours], lr=0.01, weight_decay=0.1), ours, steps)
    other = moved_by(reference, theirs, steps)

    assert (own - other).norm() < 0.02 * other.norm()  # bfloat16 has eight bits
    assert not torch.equal(own, other)


def test_where_bfloat16_is_quick_it_is_torchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muon, "gains_by_bfloat16", lambda: True)
    start, *steps = gradients((8, 24), 4)
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    reference = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")

    own = moved_by(Muon([ours], lr=0.01, weight_decay=0.1), ours, steps)

    assert torch.equal(own, moved_by(reference, theirs, steps))


def test_a_resumed_optimiser_goes_on_as_if_it_had_never_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muon, "gains_by_bfloat16", lambda: False)
    start, *steps = gradients((8, 24), 6)
    whole, parts = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    moved_by(Muon([whole], lr=0.01, weight_decay=0.0), whole, steps)

    first = Muon([parts], lr=0.01, weight_decay=0.0)
    moved_by(first, parts, steps[:3])
    second = Muon([parts], lr=0.01, weight_decay=0.0)
    second.load_state_dict(first.state_dict())
    moved_by(second, parts, steps[3:])

    assert torch.equal(whole, parts)
