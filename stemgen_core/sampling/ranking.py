"""Which of the sampled frames a step keeps."""

import torch


def rank_frames(
    confidence: torch.Tensor,
    noise: torch.Tensor,
    *,
    confidence_weight: float,
    causal_bias: float,
    noise_weight: float,
) -> torch.Tensor:
    """Score every frame; the best are kept.

    Args:
        confidence: float [B, T], probability of the sampled code before temperature, 0..1.
        noise: float [B, T], uniform in 0..1.
        confidence_weight: w_c.
        causal_bias: w_s; favours early frames, so that what comes later can follow.
        noise_weight: w_r.

    Returns:
        float [B, T]; rho = w_c * confidence + w_s * (1 - n / N) + w_r * noise, with n the frame and N their number.

    Source: StemGen (arXiv:2312.08723), eq. 1.
    """
    num_frames = confidence.shape[1]
    earliness = 1 - torch.arange(num_frames, device=confidence.device) / num_frames  # [T]
    return confidence_weight * confidence + causal_bias * earliness + noise_weight * noise


def keep_best(scores: torch.Tensor, is_candidate: torch.Tensor, num_to_keep: torch.Tensor) -> torch.Tensor:
    """Choose the frames with the highest scores among the candidates.

    Args:
        scores: float [B, T].
        is_candidate: bool [B, T]; the others are never chosen and take no place.
        num_to_keep: int64 [B].

    Returns:
        bool [B, T], True at min(num_to_keep, candidates) frames of each item.
    """
    eligible = scores.masked_fill(~is_candidate, -torch.inf)
    rank = eligible.argsort(dim=1, descending=True, stable=True).argsort(dim=1)  # [B, T]
    return (rank < num_to_keep[:, None]) & is_candidate
