"""How much harmony the codes of bands keep, by how levels are bent before they are quantised.

    .venv/bin/python -m benchmarks.band_levels CORPUS [--powers 1 2 3] [--items N] [--windows N]

Codebooks are fitted anew for each power; a ridge regression over seven frames stands in for the decoder, which would
take half an hour each. Sounds are held-out stems that have pitch, windows of 8 s, each beside what plays with it. Per
power it prints the chroma contrast of decoded stems with their context, its difference from the first power's on the
same stems with its standard error, and distances from the true stem. The last line is the first power's, not quantised.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stemgen_core.analysis.fit import chroma_contrast
from stemgen_core.analysis.key import Chroma, chroma
from stemgen_core.codec.band_codec import BandCodec, BandCodecConfig, quantise, spectrum_of
from stemgen_core.codec.phase import to_waveform
from stemgen_core.codec.token_level import at_token_level
from stemgen_core.corpus.storage import Corpus
from stemgen_core.evaluation.codec import log_spectral_distance_db, mel_distance_db
from stemgen_core.evaluation.held_out import held_out_windows
from stemgen_core.instruments import INSTRUMENTS
from stemgen_core.training.audio_windows import CorpusWindows
from stemgen_core.training.band_run import fit_codebooks
from stemgen_core.types import Waveform

SEED, ITEM_S, WINDOW_FRAMES, FRAMES_BESIDE = 3, 8.0, 64, 3
NUM_ROUNDS, RIDGE, FLOOR, AT_ONCE = 5, 1e-3, 0.25, 32
Decode = Callable[[torch.Tensor], torch.Tensor]  # levels [1, F, T] to audio [1, L]


@dataclass(frozen=True, slots=True)
class Item:
    """A held-out stem at the level of codes, float32 [1, L], and the pitch classes of what plays with it."""

    stem: torch.Tensor
    context: Chroma


@dataclass(frozen=True, slots=True)
class Scores:
    """What was measured on each item: float64 [N] each."""

    contrast: np.ndarray
    spectral_db: np.ndarray
    mel_db: np.ndarray


def pitched_items(corpus: Corpus, num_windows: int) -> list[Item]:
    """Return those of some held-out windows whose stem and context have pitch."""
    names, rate_hz = {one.name for one in INSTRUMENTS}, corpus.sample_rate_hz
    found = []
    for window in held_out_windows(corpus.pieces("heldout"), names, num_items=num_windows, window_s=ITEM_S, seed=SEED):
        item = Item(at_token_level(window.true_stem.samples, rate_hz), chroma(window.context))
        if chroma_contrast(item.context, chroma(Waveform(item.stem, rate_hz))) is not None:
            found.append(item)
    return found


def with_neighbours(levels: torch.Tensor) -> torch.Tensor:
    """Return each frame of [B, F, T] with those beside it and a one, [B * T, 7 F + 1]."""
    padded = torch.nn.functional.pad(levels, (FRAMES_BESIDE, FRAMES_BESIDE), mode="replicate")
    shifted = [padded[:, :, start : start + levels.shape[2]] for start in range(2 * FRAMES_BESIDE + 1)]
    return torch.cat([*shifted, torch.ones_like(levels[:, :1])], 1).transpose(1, 2).flatten(0, 1)


def fit_decoder(levels: torch.Tensor, windows: torch.Tensor, hop_length: int) -> Decode:
    """Regress logarithms of magnitudes on levels [B, F, T] of windows [B, 1, L]."""
    inputs = with_neighbours(levels)
    wanted = (spectrum_of(windows, hop_length) + FLOOR).log()  # [B, bins, 2 T]
    outputs = wanted.unflatten(2, (-1, 2)).permute(0, 2, 3, 1).flatten(0, 1).flatten(1)  # [B * T, 2 bins]
    damping = RIDGE * len(levels) * torch.eye(inputs.shape[1])
    weights = torch.linalg.solve(inputs.T @ inputs + damping, inputs.T @ outputs)

    def decode(some: torch.Tensor) -> torch.Tensor:
        magnitude = ((with_neighbours(some) @ weights).exp() - FLOOR).clamp(min=1e-4)
        frames = magnitude.unflatten(1, (2, -1)).flatten(0, 1)[None]  # [1, 2 T, bins]
        whole = torch.cat([frames, frames[:, -1:]], 1).transpose(1, 2)
        return to_waveform(whole, hop_length=hop_length // 2, num_rounds=4)

    return decode


def round_trip(levels: torch.Tensor, codebooks: torch.Tensor) -> torch.Tensor:
    """Return levels [B, F, T] as their codes have them."""
    rows = levels.transpose(1, 2).flatten(0, 1)
    codes = torch.cat([quantise(some, codebooks) for some in rows.split(256)])  # [B * T, K]
    kept = torch.stack([book[codes[:, level]] for level, book in enumerate(codebooks)]).sum(0)
    return kept.unflatten(0, (levels.shape[0], levels.shape[2])).transpose(1, 2)


def judge(codec: BandCodec, through: Callable[[torch.Tensor], torch.Tensor], items: list[Item]) -> Scores:
    """Measure stems whose levels went `through` something."""
    rate_hz, rows = codec.spec.sample_rate_hz, []
    for item in items:
        sound = through(codec.analyse(item.stem[None]))[:, : item.stem.shape[1]]
        contrast = chroma_contrast(item.context, chroma(Waveform(sound, rate_hz)))
        true, found = item.stem[0].numpy(), sound[0].numpy()
        distances = log_spectral_distance_db(true, found), mel_distance_db(true, found, rate_hz)
        rows.append((contrast or 0.0, *distances))  # without pitch there is no harmony left
    return Scores(*np.array(rows).T)


def print_row(name: str, scores: Scores, first: Scores) -> None:
    """Print a line of the table."""
    difference = scores.contrast - first.contrast
    error = difference.std() / len(difference) ** 0.5
    print(
        f"| {name} | {scores.contrast.mean():.3f} | {difference.mean():+.3f} +-{error:.3f}"
        f" | {scores.spectral_db.mean():.2f} | {scores.mel_db.mean():.2f} |",
        flush=True,
    )


def scores_of(power: float, windows: torch.Tensor, items: list[Item], *, is_quantised: bool) -> Scores:
    """Fit codebooks, if wanted, and a decoder to training windows [B, 1, L]; measure items."""
    config = BandCodecConfig(level_power=power)
    codec, num_rows = BandCodec(config), len(windows) // 2  # a decoder is content with half of them
    levels = torch.cat([codec.analyse(some) for some in windows.split(AT_ONCE)])  # [B, F, T]
    if not is_quantised:
        return judge(codec, fit_decoder(levels[:num_rows], windows[:num_rows], config.hop_length), items)
    codebooks = fit_codebooks(
        levels.transpose(1, 2).flatten(0, 1),
        num_codebooks=config.num_codebooks,
        codebook_size=config.codebook_size,
        num_rounds=NUM_ROUNDS,
        generator=torch.Generator().manual_seed(SEED),
    )
    kept = torch.cat([round_trip(some, codebooks) for some in levels[:num_rows].split(AT_ONCE)])
    decode = fit_decoder(kept, windows[:num_rows], config.hop_length)
    return judge(codec, lambda one: decode(round_trip(one, codebooks)), items)


@torch.no_grad()
def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--powers", type=float, nargs="+", default=[1.0, 2.0, 3.0])
    parser.add_argument("--items", type=int, default=70, metavar="N", help="held-out windows; the pitched ones count")
    parser.add_argument("--windows", type=int, default=640, metavar="N", help="of 1.28 s to fit to")
    parser.add_argument("--threads", type=int, default=2)
    parsed = parser.parse_args()
    torch.set_num_threads(parsed.threads)
    corpus = Corpus.open(parsed.corpus)
    rate_hz = corpus.sample_rate_hz
    items = pitched_items(corpus, parsed.items)
    length, rng = WINDOW_FRAMES * BandCodecConfig().hop_length, torch.Generator().manual_seed(SEED)
    drawn = CorpusWindows.open(parsed.corpus, "train").draw(parsed.windows, length, generator=rng)
    windows = torch.stack([at_token_level(one, rate_hz) for one in drawn])  # [B, 1, L]
    true = [chroma_contrast(item.context, chroma(Waveform(item.stem, rate_hz))) or 0.0 for item in items]
    print(f"{len(items)} stems, chroma contrast of the true ones {np.mean(true):.3f}\n")
    print("| power | chroma contrast | against the first | log-spectral distance, dB | mel distance, dB |")
    print("|---|---|---|---|---|", flush=True)
    first = scores_of(parsed.powers[0], windows, items, is_quantised=True)
    print_row(f"{parsed.powers[0]:g}", first, first)
    for power in parsed.powers[1:]:
        print_row(f"{power:g}", scores_of(power, windows, items, is_quantised=True), first)
    print_row("not quantised", scores_of(parsed.powers[0], windows, items, is_quantised=False), first)


if __name__ == "__main__":
    main()
