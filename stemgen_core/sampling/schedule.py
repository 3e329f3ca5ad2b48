"""How many frames each decoding step fixes."""

import math


def frames_to_keep(num_masked: int, num_steps: int) -> list[int]:
    """Split the hidden frames of a level over its steps, few first, many last.

    After step s of S a share cos(s / S * pi / 2) is still hidden, the same curve that training draws its mask rates
    from. Each step fixes at least one frame, so fewer steps are made where there are fewer frames.

    Args:
        num_masked: hidden frames at the start, >= 0.
        num_steps: S, >= 1.

    Returns:
        Frames to fix per step, all >= 1, summing to `num_masked`.

    Raises:
        ValueError: if `num_steps` is below 1 or `num_masked` negative.

    Source: MaskGIT (arXiv:2202.04200), cosine schedule; StemGen does not state its schedule (decision 0005).
    """
    if num_steps < 1 or num_masked < 0:
        raise ValueError(f"need num_steps >= 1 and num_masked >= 0, got {num_steps} and {num_masked}")
    num_steps = min(num_steps, num_masked)
    kept = []
    left = num_masked
    for step in range(1, num_steps + 1):
        steps_after = num_steps - step
        curve = round(num_masked * math.cos(step / num_steps * math.pi / 2))
        left_after = max(min(curve, left - 1), steps_after)
        kept.append(left - left_after)
        left = left_after
    return kept
