"""Options that several commands share."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemgen_core.checkpoint import SHIPPED_BUNDLE_PATH
from stemgen_core.sampling.settings import PRESETS, SamplingSettings, settings_from_preset

if TYPE_CHECKING:
    from stemgen_core.generator import StemGenerator


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add `--model`."""
    parser.add_argument(
        "--model", type=Path, default=SHIPPED_BUNDLE_PATH, metavar="PATH", help="bundle folder (the shipped one)"
    )


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """Add how to decode: a preset and what to change of it."""
    parser.add_argument("--preset", default="balanced", choices=sorted(PRESETS), help="decoding preset (%(default)s)")
    parser.add_argument("--steps", type=_steps, metavar="N,N,...", help="decoding steps per level, coarse to fine")
    parser.add_argument("--context-guidance", type=float, metavar="X", help="how strongly to follow the mix, 1 = off")
    parser.add_argument("--instrument-guidance", type=float, metavar="X", help="the same for the instrument, 1 = off")
    parser.add_argument(
        "--density-guidance",
        type=float,
        metavar="X",
        help="how much of its effect on how many notes there are stays, 0..1",
    )
    parser.add_argument("--guided-levels", type=int, metavar="N", help="guide only the first N levels")
    parser.add_argument("--causal-bias", type=float, metavar="X", help="how much earlier frames go first, w_s of eq. 1")
    parser.add_argument("--temperature", type=float, metavar="X", help="of sampling, above 0")
    parser.add_argument("--candidates", type=int, metavar="N", help="drafts of a stem, of which the best is kept")
    parser.add_argument("--top-p", type=float, metavar="X", help="sample only among codes of this total probability")


def read_sampling(parsed: argparse.Namespace) -> SamplingSettings:
    """Return the settings that `add_sampling`'s options ask for.

    Raises:
        InvalidRequestError: if one is out of range.
    """
    return settings_from_preset(
        parsed.preset,
        num_steps=parsed.steps,
        context_guidance_scale=parsed.context_guidance,
        instrument_guidance_scale=parsed.instrument_guidance,
        density_guidance_share=parsed.density_guidance,
        num_guided_levels=parsed.guided_levels,
        causal_bias=parsed.causal_bias,
        temperature=parsed.temperature,
        top_p=parsed.top_p,
        num_candidates=parsed.candidates,
    )


def load_generator(path: Path) -> "StemGenerator":
    """Load a bundle; torch is imported only now, so that `--help` is quick.

    Raises:
        CheckpointError: if it can't be loaded.
    """
    from stemgen_core.generator import StemGenerator

    return StemGenerator.load(path)


def follow_with(bar: Any) -> Callable[[int, int], None]:
    """Return a progress callback (done, wanted) that moves a tqdm bar."""

    def move(done: int, wanted: int) -> None:
        bar.total = wanted
        bar.update(done - bar.n)

    return move


def _steps(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as 12,8,4") from error
