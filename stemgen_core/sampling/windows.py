"""Any length: a long context is covered by windows, each continuing what the former ones wrote."""

from collections.abc import Iterator

OVERLAP_SHARE = 0.4  # of a window: what it sees of the stem before it goes on


def plan_windows(num_frames: int, window: int) -> list[tuple[int, int]]:
    """Cover `num_frames` with overlapping windows of at most `window` frames.

    All windows but the only one have the full length, so the last may overlap its predecessor by more.

    Args:
        num_frames: T, >= 1.
        window: the model's window, frames, >= 2.

    Returns:
        Start and end (one past the last) of each window, in order.

    Raises:
        ValueError: if a number is below its least.
    """
    if num_frames < 1 or window < 2:
        raise ValueError(f"need num_frames >= 1 and window >= 2, got {num_frames} and {window}")
    if num_frames <= window:
        return [(0, num_frames)]
    return list(_sliding(num_frames, window))


def _sliding(num_frames: int, window: int) -> Iterator[tuple[int, int]]:
    advance = max(1, round(window * (1 - OVERLAP_SHARE)))
    start = 0
    while start + window < num_frames:
        yield start, start + window
        start += advance
    yield num_frames - window, num_frames
