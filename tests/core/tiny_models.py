"""Models small enough for every test, with weights large enough that every input changes the output."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stemgen_core.checkpoint import BundleManifest, save_bundle
from stemgen_core.codec import context_features
from stemgen_core.codec.protocol import LevelRule
from stemgen_core.codec.score_roll import NUM_ROWS
from stemgen_core.codec.score_tokens import LOWEST_PITCH, NUM_PITCHES, SCORE_SPEC
from stemgen_core.conditioning import ConditionField
from stemgen_core.instruments import INSTRUMENTS
from stemgen_core.model.config import ModelConfig
from stemgen_core.model.listener import ContrastiveListener, ListenerConfig
from stemgen_core.model.transformer import StemTransformer
from stemgen_core.types import CodecSpec, Waveform

SOUNDS = Path(__file__).parents[2] / "bundle" / "sounds.sf3"
TOY_SPEC = CodecSpec("toy", sample_rate_hz=800, hop_length=8, num_codebooks=3, codebook_size=8)
MASK = TOY_SPEC.mask_token_id
NUM_FEATURES = 5
INSTRUMENT = ConditionField("instrument", 4)
OFFERED = ("piano", "bass", "drums")


def toy_config(*, num_features: int | None = NUM_FEATURES, dropout: float = 0.0) -> ModelConfig:
    return ModelConfig(
        spec=TOY_SPEC,
        context_codec="toy-features" if num_features else TOY_SPEC.name,
        num_context_features=num_features,
        fields=(INSTRUMENT,),
        dim=16,
        num_layers=2,
        num_heads=2,
        feed_forward_dim=24,
        dropout=dropout,
    )


def toy_model(seed: int = 0, config: ModelConfig | None = None) -> StemTransformer:
    with torch.random.fork_rng():
        model = StemTransformer(config or toy_config()).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name:  # each from its name, so that a new one leaves the others as they were
                parameter.normal_(0, 0.4, generator=seeded(1_000 * seed + zlib.crc32(name.encode())))
    return model


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_codes(seed: int, batch_size: int = 2, num_frames: int = 12) -> torch.Tensor:
    shape = (batch_size, TOY_SPEC.num_codebooks, num_frames)
    return torch.randint(TOY_SPEC.codebook_size, shape, generator=seeded(seed))


def random_features(seed: int, batch_size: int = 2, num_frames: int = 12) -> torch.Tensor:
    return torch.randn(batch_size, NUM_FEATURES, num_frames, generator=seeded(seed))


def write_score_bundle(
    folder: Path, *, seed: int = 0, window_frames: int = 100, genres: tuple[str, ...] = ()
) -> BundleManifest:
    """Write an untrained model of the score family with the real sounds; with genres it knows stem categories too."""
    fields = [ConditionField("instrument", len(INSTRUMENTS))]
    if genres:
        fields += [ConditionField("genre", len(genres)), ConditionField("stem_category", 4)]
    config = ModelConfig(
        spec=SCORE_SPEC,
        context_codec=context_features.NAME,
        num_context_features=context_features.NUM_FEATURES,
        fields=tuple(fields),
        dim=8,
        num_layers=1,
        num_heads=2,
        feed_forward_dim=8,
    )
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / SOUNDS.name).exists():
        (folder / SOUNDS.name).symlink_to(SOUNDS)
    manifest = BundleManifest("score", config, window_frames, OFFERED, genres=genres, training={"steps": 0})
    return save_bundle(folder, manifest, toy_model(seed, config))


def toy_listener(seed: int = 0, **changes: Any) -> ContrastiveListener:
    """Return an untrained listener of the score family's features and notes."""
    options = {
        "num_semitones": context_features.NUM_SEMITONES,
        "num_keys": NUM_PITCHES,
        "first_key": LOWEST_PITCH - context_features.LOWEST_SEMITONE,
        "width": 8,
        "num_blocks": 2,
        "dim": 4,
        "hears": context_features.NAME,
        "reads": SCORE_SPEC.name,
    }
    config = ListenerConfig(context_features.NUM_FEATURES, NUM_ROWS, **(options | changes))
    with torch.random.fork_rng():
        listener = ContrastiveListener(config).eval()
    with torch.no_grad():
        for name, parameter in listener.named_parameters():
            if "sharpness" not in name and "gain" not in name:
                parameter.normal_(0, 0.2, generator=seeded(1_000 * seed + zlib.crc32(name.encode())))
    return listener


@dataclass
class TableJudge:
    """Scores a stem by the code of its leading level in frame 4."""

    scores: Mapping[int, float]
    is_quick: bool = False
    num_asked: int = 0

    name = "table"

    def score(
        self,
        context: torch.Tensor,
        codes: torch.Tensor,
        conditions: Mapping[str, torch.Tensor],
        *,
        rules: Sequence[LevelRule],
    ) -> float:
        self.num_asked += 1
        return self.scores[int(codes[0, 0, 4])]


def tone(duration_s: float, rate_hz: int = 32_000, *, num_channels: int = 1, pitch_hz: float = 220.0) -> Waveform:
    """Return a tone that swells twice a second, with as many audio samples as the duration rounds to."""
    seconds = torch.arange(round(duration_s * rate_hz)) / rate_hz
    swell = (0.5 - seconds % 0.5).clamp_min(0) * 2
    return Waveform((0.3 * swell * (2 * torch.pi * pitch_hz * seconds).sin()).repeat(num_channels, 1), rate_hz)
