"""What a score is worth: random pairs below it, true pairs above it, and how sure the figures are.

Conventions: `nan` marks an item on which a score could not be measured; it takes no part in means.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NUM_RESAMPLES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and how sure it is.

    Attributes:
        mean: over the items that could be measured; nan where there were none.
        low: lower end of the 95 % bootstrap interval.
        high: upper end.
        num_items: items that could be measured.
    """

    mean: float
    low: float
    high: float
    num_items: int


def validate(values: np.ndarray) -> None:
    """Check scores.

    Raises:
        ValueError: if they are not one row of numbers (nan allowed, infinity not).
    """
    if values.ndim != 1 or np.isinf(values).any():
        raise ValueError(f"scores must be one row of finite numbers or nan, got shape {values.shape}")


def mean_interval(values: np.ndarray, seed: int = 0) -> Interval:
    """Return the mean of one score over items, with its bootstrap interval.

    Raises:
        ValueError: if the values are malformed.
    """
    validate(values)
    measured = values[~np.isnan(values)]
    if len(measured) == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    rng = np.random.default_rng(seed)
    means = measured[rng.integers(len(measured), size=(NUM_RESAMPLES, len(measured)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(measured.mean()), float(low), float(high), len(measured))


def position(generated: np.ndarray, random: np.ndarray, true: np.ndarray, seed: int = 0) -> Interval | None:
    """Return where generated stems stand between random pairs (0) and true pairs (1).

    Items are resampled together, so that hard pieces weigh alike in all three.

    Args:
        generated: float64 [N], the score of each item; nan where it could not be measured.
        random: float64 [N], the same items paired with another piece's stem.
        true: float64 [N], the same items with the stem that belongs to them.
        seed: of the bootstrap.

    Returns:
        The position and its interval; None where the score cannot tell true pairs from random ones on these items
        (the 95 % interval of their difference holds 0).

    Raises:
        ValueError: if the values are malformed or differ in length.
    """
    for values in (generated, random, true):
        validate(values)
    if not len(generated) == len(random) == len(true):
        raise ValueError(f"scores must have one length, got {len(generated)}, {len(random)} and {len(true)}")
    table = np.stack([generated, random, true])  # [3, N]
    if len(generated) == 0 or np.isnan(table).all(axis=1).any():
        return None
    rng = np.random.default_rng(seed)
    picks = rng.integers(table.shape[1], size=(NUM_RESAMPLES, table.shape[1]))
    sums, counts = np.nansum(table[:, picks], axis=2), (~np.isnan(table[:, picks])).sum(axis=2)
    means = sums / np.where(counts == 0, np.nan, counts)  # [3, resamples]
    spread = means[2] - means[1]
    edges = np.nanquantile(spread, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    if edges[0] <= 0 <= edges[1]:
        return None
    low, high = np.nanquantile((means[0] - means[1]) / spread, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    middle = np.nanmean(table, axis=1)
    value = (middle[0] - middle[1]) / (middle[2] - middle[1])
    return Interval(float(value), float(low), float(high), int((~np.isnan(generated)).sum()))


def random_partners(pieces: Sequence[str], instruments: Sequence[str], seed: int = 0) -> list[int]:
    """Return for each item the index of an item of another piece, of the same instrument where there is one.

    The same instrument keeps the control honest: what is measured is the pairing, not the kind of sound.

    Raises:
        ValueError: if all items are of one piece, or the two sequences differ in length.
    """
    if len(pieces) != len(instruments):
        raise ValueError(f"got {len(pieces)} pieces and {len(instruments)} instruments")
    rng = np.random.default_rng(seed)
    partners = []
    for piece, instrument in zip(pieces, instruments, strict=True):
        others = [index for index, other in enumerate(pieces) if other != piece]
        if not others:
            raise ValueError("random pairs need items of at least 2 pieces")
        alike = [index for index in others if instruments[index] == instrument]
        partners.append(int(rng.choice(alike or others)))
    return partners
