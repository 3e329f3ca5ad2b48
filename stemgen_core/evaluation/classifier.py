"""A small network that says what kind of stem it hears: instrument, genre or category, whatever it was taught.

Conventions: it hears segments (`timbre.segment_features`); a stem's probabilities are the mean over its segments.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from stemgen_core.errors import CheckpointError
from stemgen_core.evaluation.timbre import LEVEL_STATISTICS, NUM_BANDS, NUM_FEATURES, segment_features, validate
from stemgen_core.types import Waveform

EMBEDDING_DIM = 64
FORMAT = "stem-classifier-3"

_HIDDEN_DIM = 256
_BATCH_SIZE = 256
_NUM_PASSES = 40  # over all segments, but
_MIN_STEPS, _MAX_STEPS = 300, 2000
_LEARNING_RATE = 2e-3
_NOISE = 0.8  # of the standardised features
_TILT = 0.25  # standard deviation of the tilt over all bands, in units of 20 dB


@dataclass(frozen=True, slots=True)
class StemClassifier:
    """A trained classifier.

    Attributes:
        labels: what it can say.
        network: from standardised features to logits.
        mean: float32 [NUM_FEATURES], of the features it was trained on.
        deviation: float32 [NUM_FEATURES].
        facts: what is known of its training, JSON values, such as its accuracy.
    """

    labels: tuple[str, ...]
    network: nn.Sequential
    mean: torch.Tensor
    deviation: torch.Tensor
    facts: dict[str, Any]

    def probabilities(self, features: np.ndarray) -> dict[str, float] | None:
        """Return the probability of each label, or None where there is no segment.

        Raises:
            ValueError: if the features are malformed.
        """
        validate(features)
        if len(features) == 0:
            return None
        with torch.inference_mode():
            mean = self.network(self._standardise(features)).softmax(-1).mean(0)  # [N, labels] -> [labels]
        return dict(zip(self.labels, mean.tolist(), strict=True))

    def hear(self, waveform: Waveform) -> str | None:
        """Return the likeliest label of a stem, or None where nothing sounds.

        Raises:
            AudioFormatError: if there is no sample or a sample is not a finite number.
        """
        found = self.probabilities(segment_features(waveform))
        return None if found is None else max(found, key=lambda label: found[label])

    def embed(self, features: np.ndarray) -> np.ndarray:
        """Return the last hidden layer of each segment, float32 [N, 64].

        Raises:
            ValueError: if the features are malformed.
        """
        validate(features)
        with torch.inference_mode():
            return self.network[:-1](self._standardise(features)).numpy()

    def _standardise(self, features: np.ndarray) -> torch.Tensor:
        return (torch.from_numpy(features) - self.mean) / self.deviation

    def save(self, path: Path) -> None:
        """Write one safetensors file (about 1.3 MB)."""
        tensors = dict(self.network.state_dict()) | {"mean": self.mean, "deviation": self.deviation}
        record = {"format": FORMAT, "labels": self.labels, "facts": self.facts}
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, path, metadata={"classifier": json.dumps(record)})

    @classmethod
    def load(cls, path: Path) -> "StemClassifier":
        """Read what `save` wrote.

        Raises:
            CheckpointError: if the file is missing or of another kind.
        """
        if not path.is_file():
            raise CheckpointError(f"There is no classifier at {path}. `stemgen evaluate` makes one.")
        with safe_open(path, "pt") as file:
            record = json.loads((file.metadata() or {}).get("classifier", "{}"))
            if record.get("format") != FORMAT:
                raise CheckpointError(f"{path} is no classifier of this version. Delete it to have it made again.")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        mean, deviation = tensors.pop("mean"), tensors.pop("deviation")
        network = _network(len(record["labels"]))
        network.load_state_dict(tensors)
        return cls(tuple(record["labels"]), network.eval(), mean, deviation, record["facts"])


def train_classifier(features: Sequence[np.ndarray], labels: Sequence[str], *, seed: int = 0) -> StemClassifier:
    """Teach a classifier; takes some twenty seconds with hundreds of pieces.

    Rare labels weigh more (by the square root of their rarity); features are roughened by noise and spectral tilt, as
    another soundfont, room or microphone would.

    Args:
        features: per stem float32 [N, NUM_FEATURES].
        labels: per stem what it is.
        seed: of weights, order and noise.

    Raises:
        ValueError: if features are malformed, lengths differ, or there are fewer than two labels with segments.
    """
    if len(features) != len(labels):
        raise ValueError(f"got {len(features)} stems and {len(labels)} labels")
    for each in features:
        validate(each)
    counts = Counter(label for each, label in zip(features, labels, strict=True) for _ in range(len(each)))
    names = tuple(sorted(counts))
    if len(names) < 2:
        raise ValueError(f"a classifier needs two labels or more that sound, got {names}")
    inputs = torch.from_numpy(np.concatenate(list(features)))  # [segments, NUM_FEATURES]
    targets = torch.tensor(
        [names.index(label) for each, label in zip(features, labels, strict=True) for _ in range(len(each))]
    )
    mean, deviation = inputs.mean(0), inputs.std(0) + 1e-3
    frequency = torch.tensor([float(counts[name]) for name in names])
    loss_of = nn.CrossEntropyLoss(weight=(frequency.mean() / frequency).sqrt(), label_smoothing=0.05)
    num_steps = min(_MAX_STEPS, max(_MIN_STEPS, _NUM_PASSES * len(inputs) // _BATCH_SIZE))
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # the weights and the dropout; restored at the end of the block
        network = _network(len(names))
        optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, num_steps)
        for _ in range(num_steps):
            picks = torch.randint(len(inputs), (min(_BATCH_SIZE, len(inputs)),))
            roughened = (_tilt(inputs[picks]) - mean) / deviation
            roughened += _NOISE * torch.randn_like(roughened)
            loss = loss_of(network(roughened), targets[picks])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return StemClassifier(names, network.eval(), mean, deviation, {"num_stems": len(labels)})


def _network(num_labels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(NUM_FEATURES, _HIDDEN_DIM),
        nn.GELU(),
        nn.Dropout(0.3),
        nn.Linear(_HIDDEN_DIM, EMBEDDING_DIM),
        nn.GELU(),
        nn.Dropout(0.2),
        nn.Linear(EMBEDDING_DIM, num_labels),
    )


def _tilt(features: torch.Tensor) -> torch.Tensor:
    """Return features as they would be after a gentle tilt of the spectrum, drawn per item, [B, NUM_FEATURES]."""
    tilt = torch.linspace(-1, 1, NUM_BANDS) * torch.randn(len(features), 1) * _TILT  # [B, bands]
    tilted = features.clone().unflatten(1, (-1, NUM_BANDS))  # [B, statistics, bands]
    for statistic in LEVEL_STATISTICS:
        tilted[:, statistic] += tilt
    return tilted.flatten(1)
