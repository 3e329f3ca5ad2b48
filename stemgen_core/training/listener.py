"""`stemgen train listener`: a small network that tells stems that belong to a mix from those that nearly do."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from stemgen_core.codec import context_features
from stemgen_core.codec.score_roll import NUM_ROWS
from stemgen_core.codec.score_tokens import LOWEST_PITCH, NUM_PITCHES, SCORE_SPEC
from stemgen_core.corpus.storage import Corpus
from stemgen_core.errors import InvalidRequestError
from stemgen_core.model.listener import ContrastiveListener, ListenerConfig
from stemgen_core.training.listener_examples import HeardPiece, ListenerBatch, ListenerBatches, hear_pieces

SIZES = ListenerConfig(
    context_features.NUM_FEATURES,
    NUM_ROWS,
    num_semitones=context_features.NUM_SEMITONES,
    num_keys=NUM_PITCHES,
    first_key=LOWEST_PITCH - context_features.LOWEST_SEMITONE,
    hears=context_features.NAME,
    reads=SCORE_SPEC.name,
)
MAX_GRADIENT_NORM = 1.0
WARM_UP_STEPS = 50


@dataclass(frozen=True, slots=True)
class ListenerTrainingConfig:
    """How to train a listener.

    Attributes:
        num_steps: of the whole schedule.
        num_mixes: that are heard of each piece before the first step.
        num_pieces: of a batch, which has two windows of each.
        window_frames: T of a window.
        num_lags: shifts of each stem that it must be told from.
        learning_rate: peak rate of AdamW; warmed up, then straight down.
        weight_decay: of AdamW.
        seed: of everything that is drawn.
    """

    num_steps: int = 1_500
    num_mixes: int = 1
    num_pieces: int = 12
    window_frames: int = 125
    num_lags: int = 6
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    seed: int = 0


def contrastive_loss(listener: ContrastiveListener, batch: ListenerBatch) -> torch.Tensor:
    """Return the symmetric InfoNCE loss of a batch, a scalar in nats.

    Each mix must find its stem among all stems of the batch (the one next to it is another window of its piece), its
    stem's shifts, and its stem in another key; each stem must find its mix among all mixes.

    Source: InfoNCE (arXiv:1807.03748); COCOLA (arXiv:2404.16969). Differs: with near misses (decision 0096).
    """
    contexts, stems = listener.embed_contexts(batch.contexts), listener.embed_stems(batch.stems)
    transposed = listener.embed_stems(batch.transposed)
    pairs = listener.compare_all(contexts, stems)  # [B, B]
    # A shifted stem is embedded as the stem shifted: the encoders do not know where a window begins.
    shifted = torch.stack(
        [listener.compare(contexts, _shifted(stems, batch.lags[:, number])) for number in range(batch.lags.shape[1])],
        1,
    )  # [B, N]
    in_other_key = listener.compare(contexts, transposed).masked_fill(~batch.has_key, -torch.inf)  # [B]
    rows = torch.cat([pairs, shifted, in_other_key[:, None]], 1)  # [B, B + N + 1]
    own = torch.arange(len(pairs))
    cross_entropy = torch.nn.functional.cross_entropy
    return (cross_entropy(rows, own) + cross_entropy(pairs.T, own)) / 2


def _shifted(embedded: torch.Tensor, lags: torch.Tensor) -> torch.Tensor:
    """Return each item, [B, D, T], later by its own lag; the end goes round to the beginning."""
    num_frames = embedded.shape[2]
    index = (torch.arange(num_frames) - lags[:, None]) % num_frames  # [B, T]
    return embedded.gather(2, index[:, None].expand_as(embedded))


def fit_listener(
    pieces: Sequence[HeardPiece],
    config: ListenerTrainingConfig,
    *,
    report: Callable[[int, float], None] | None = None,
) -> ContrastiveListener:
    """Train a listener on pieces that were heard.

    Args:
        pieces: what to learn from.
        config: how.
        report: called with (steps done, loss) after each step.

    Returns:
        The listener, in evaluation mode.

    Raises:
        ValueError: if there are too few pieces for a batch.
    """
    batches = ListenerBatches(
        pieces,
        num_pieces=config.num_pieces,
        window_frames=config.window_frames,
        num_lags=config.num_lags,
        seed=config.seed,
    )
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)  # the weights and the dropout; restored at the end of the block
        listener = ContrastiveListener(SIZES).train()
        optimizer = torch.optim.AdamW(
            listener.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.98)
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / WARM_UP_STEPS, 1.0) * max(0.02, 1 - step / config.num_steps)
        )
        for step in range(config.num_steps):
            loss = contrastive_loss(listener, batches[step])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(listener.parameters(), MAX_GRADIENT_NORM)
            optimizer.step()
            schedule.step()
            if report is not None:
                report(step + 1, loss.item())
    return listener.eval()


def train_listener(
    corpus: Corpus,
    path: Path,
    config: ListenerTrainingConfig,
    *,
    report_heard: Callable[[int, int], None] | None = None,
    report: Callable[[int, float], None] | None = None,
) -> ContrastiveListener:
    """Hear the training pieces of a corpus, train a listener and write it.

    Args:
        corpus: mono at 32 kHz, with notes.
        path: of the file.
        config: how.
        report_heard: called with the pieces heard and wanted.
        report: called with (steps done, loss) after each step.

    Raises:
        InvalidRequestError: if the corpus is of another rate or too small.
    """
    if corpus.sample_rate_hz != context_features.SAMPLE_RATE_HZ:
        raise InvalidRequestError(
            f"A listener hears {context_features.SAMPLE_RATE_HZ} Hz; this corpus has {corpus.sample_rate_hz} Hz."
        )
    pieces = hear_pieces(
        corpus.pieces("train"), num_mixes=config.num_mixes, seed=config.seed, report_progress=report_heard
    )
    try:
        listener = fit_listener(pieces, config, report=report)
    except ValueError as error:
        raise InvalidRequestError(f"The corpus is too small for a listener: {error}.") from error
    listener.save(path, {"corpus": corpus.manifest, "training": asdict(config)})
    return listener
