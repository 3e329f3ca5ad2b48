"""`stemgen train codec` and `stemgen train lm`: from a corpus to a bundle. Both take up a run where it stopped."""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from stemgen_core.errors import InvalidRequestError
from stemgen_core.model.config import SIZES

if TYPE_CHECKING:
    from stemgen_core.training.families import TrainingFamily

LOGGED = ("loss", "held_out_loss", "listening")


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the two commands."""
    train = commands.add_parser("train", help="train a codec or a language model").add_subparsers(
        required=True, metavar="WHAT"
    )
    codec = train.add_parser("codec", help="the audio family's codec")
    _add_run(codec)
    codec.add_argument("--config", default="small", metavar="NAME", help="tiny, small or encodec_32khz (%(default)s)")
    codec.set_defaults(run=run_codec)

    lm = train.add_parser("lm", help="the language model of either family")
    _add_run(lm)
    lm.add_argument("--codec", type=Path, metavar="DIR", help="codec of the audio family; without it: score family")
    lm.add_argument("--size", default="small", choices=sorted(SIZES), help="of the model (%(default)s)")
    lm.add_argument("--batch-size", type=int, metavar="N", help="examples per step")
    lm.add_argument("--window-frames", type=int, metavar="N", help="frames per example")
    lm.add_argument("--learning-rate", type=float, metavar="X", help="peak rate")
    lm.add_argument("--optimizer", choices=("adamw", "muon"), help="of the blocks' matrices")
    lm.add_argument("--start-from", type=Path, metavar="BUNDLE", help="begin with the weights of a bundle")
    lm.add_argument("--float32", action="store_true", help="compute in 32 bits where 16 would do")
    lm.add_argument("--seed", type=int, metavar="N", help="of the run")
    lm.add_argument("--evaluate-every", type=int, metavar="N", help="steps between held-out scores")
    lm.add_argument("--patience", type=int, metavar="N", help="held-out scores without a gain before the decay starts")
    lm.add_argument("--bundle", type=Path, metavar="DIR", help="write the averaged weights there at the end")
    lm.set_defaults(run=run_lm)


def run_codec(parsed: argparse.Namespace) -> None:
    """Train the codec of the audio family."""
    from stemgen_core.training.codec import CODEC_TRAINING_PRESETS, train_codec

    if parsed.config not in CODEC_TRAINING_PRESETS:
        known = ", ".join(CODEC_TRAINING_PRESETS)
        raise InvalidRequestError(f"There is no codec called {parsed.config!r}. Choose one of: {known}.")
    config = CODEC_TRAINING_PRESETS[parsed.config]
    if parsed.steps is not None:
        config = replace(config, num_steps=parsed.steps)
    started = time.monotonic()
    with tqdm(total=config.num_steps, unit="step") as bar:

        def report(step: int, loss: float) -> None:
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{loss:.3f}")

        result = train_codec(
            parsed.corpus,
            parsed.run_folder,
            config,
            device=parsed.device,
            report_progress=report,
            should_stop=lambda: parsed.minutes is not None and time.monotonic() - started > 60 * parsed.minutes,
        )
    print(f"{result.step} steps; the best codec lies in {result.codec_path}")


def run_lm(parsed: argparse.Namespace) -> None:
    """Train the language model; write a bundle if asked."""
    import torch

    from stemgen_core.corpus.storage import Corpus
    from stemgen_core.training.lm import LmTrainer, LmTrainingConfig

    if parsed.threads is not None:
        torch.set_num_threads(parsed.threads)
    given = {
        "num_steps": parsed.steps,
        "batch_size": parsed.batch_size,
        "window_frames": parsed.window_frames,
        "learning_rate": parsed.learning_rate,
        "optimizer": parsed.optimizer,
        "seed": parsed.seed,
        "evaluate_every": parsed.evaluate_every,
        "patience": parsed.patience,
    }
    given |= {"has_bfloat16": False} if parsed.float32 else {}
    config = LmTrainingConfig(size=parsed.size, **{name: value for name, value in given.items() if value is not None})
    corpus = Corpus.open(parsed.corpus)
    trainer = LmTrainer(
        _family(parsed.codec), corpus, parsed.run_folder, config, parsed.device, start_from=parsed.start_from
    )
    is_first = trainer.processes.is_first
    with tqdm(total=config.num_steps, initial=trainer.step, unit="step", disable=not is_first) as bar:

        def report(step: int, values: dict[str, float]) -> None:
            bar.update(step - bar.n)
            bar.write(f"{step}  " + "  ".join(f"{name} {values[name]:.3f}" for name in LOGGED if name in values))

        is_finished = trainer.run(max_seconds=None if parsed.minutes is None else 60 * parsed.minutes, report=report)
    if not is_first:  # of several processes, one writes
        return
    print(f"{trainer.step} steps; " + ("the schedule is at its end" if is_finished else "run it again to go on"))
    if parsed.bundle is not None:
        manifest = trainer.write_bundle(parsed.bundle, {"corpus": corpus.manifest})
        print(f"{manifest.model_id} written to {parsed.bundle}")


def _family(codec_path: Path | None) -> "TrainingFamily":
    from stemgen_core.codec.encodec import EncodecCodec
    from stemgen_core.training.families import AudioFamily, ScoreFamily

    return ScoreFamily() if codec_path is None else AudioFamily(EncodecCodec.load(codec_path))


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="as `stemgen synthesize` makes it")
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="checkpoints and log; taken up if it is there")
    parser.add_argument("--steps", type=int, metavar="N", help="of the whole schedule")
    parser.add_argument("--minutes", type=float, metavar="X", help="stop this leg after so long; run again to go on")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--threads", type=int, metavar="N", help="of torch on the CPU")
