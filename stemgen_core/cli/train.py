"""`stemgen train ...`: from a corpus to a bundle. Codec and model take up a run where it stopped."""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from stemgen_core.cli.options import follow_with
from stemgen_core.errors import InvalidRequestError
from stemgen_core.model.config import SIZES

if TYPE_CHECKING:
    from collections.abc import Callable

    from stemgen_core.corpus.storage import Corpus
    from stemgen_core.training.families import TrainingFamily

LOGGED = ("loss", "held_out_loss", "listening")


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the two commands."""
    train = commands.add_parser("train", help="train a codec or a language model").add_subparsers(
        required=True, metavar="WHAT"
    )
    _add_codec(train)
    lm = train.add_parser("lm", help="the language model of either family")
    lm.add_argument("corpus", type=Path, metavar="CORPUS", help="as `stemgen synthesize` makes it; none with --data")
    _add_run(lm, nargs="?")
    lm.add_argument("--codec", type=Path, metavar="DIR", help="codec of the audio family; without it: score family")
    lm.add_argument("--size", choices=sorted(SIZES), help="of the model (small)")
    lm.add_argument("--batch-size", type=int, metavar="N", help="examples per step")
    lm.add_argument("--window-frames", type=int, metavar="N", help="frames per example")
    lm.add_argument("--learning-rate", type=float, metavar="X", help="peak rate")
    lm.add_argument("--optimizer", choices=("adamw", "muon"), help="of the blocks' matrices")
    lm.add_argument("--from", dest="start_from", type=Path, metavar="BUNDLE", help="begin with a bundle's weights")
    lm.add_argument("--data", type=Path, metavar="FOLDER", help="fine-tune the bundle on a folder of stems")
    lm.add_argument(
        "--compare", type=Path, metavar="CORPUS", help="with --data: what the bundle was trained on, to be scored, too"
    )
    lm.add_argument("--pieces", type=int, metavar="N", help="with --data: to cut the folder into")
    lm.add_argument("--float32", action="store_true", help="compute in 32 bits where 16 would do")
    lm.add_argument("--seed", type=int, metavar="N", help="of the run")
    lm.add_argument("--evaluate-every", type=int, metavar="N", help="steps between held-out scores")
    lm.add_argument("--patience", type=int, metavar="N", help="held-out scores without a gain before the decay starts")
    lm.add_argument("--loaders", type=int, metavar="N", help="processes that make examples ahead")
    lm.add_argument("--compile", action="store_true", default=None, help="train through torch.compile")
    lm.add_argument("--bundle", type=Path, metavar="DIR", help="write the averaged weights there at the end")
    lm.set_defaults(run=run_lm)

    tokens = train.add_parser("tokens", help="a corpus as codes of a codec, to train the audio family on")
    tokens.add_argument("corpus", type=Path, metavar="CORPUS", help="as `stemgen synthesize` makes it")
    tokens.add_argument("codec", type=Path, metavar="CODEC", help="folder of the trained codec")
    tokens.add_argument("out", type=Path, metavar="OUT", help="folder of the token corpus; taken up if it is there")
    tokens.add_argument("--renders", type=int, default=5, metavar="N", help="of each piece (%(default)s)")
    tokens.add_argument("--mixes", type=int, default=4, metavar="N", help="contexts of each render (%(default)s)")
    tokens.add_argument("--seed", type=int, default=0, metavar="N", help="of the choice of mixes (%(default)s)")
    tokens.add_argument(
        "--hearing",
        choices=("codes", "bands"),
        default="codes",
        help="what the model will hear of mixes: codes, as in the paper, or bands (%(default)s)",
    )
    tokens.add_argument("--processes", type=int, default=1, metavar="N", help="that render (%(default)s)")
    tokens.add_argument("--device", default="cpu", help="of the codec: cpu or cuda (%(default)s)")
    tokens.set_defaults(run=run_tokens)

    listener = train.add_parser("listener", help="a small network that tells true stems from near misses")
    listener.add_argument("corpus", type=Path, metavar="CORPUS", help="as `stemgen synthesize` makes it")
    listener.add_argument("out", type=Path, metavar="OUT", help="safetensors file, for `stemgen add-listener`")
    listener.add_argument("--steps", type=int, metavar="N", help="of the whole schedule")
    listener.add_argument("--mixes", type=int, metavar="N", help="that are heard of each piece")
    listener.add_argument("--seed", type=int, metavar="N", help="of the run")
    listener.add_argument("--threads", type=int, metavar="N", help="of torch on the CPU")
    listener.set_defaults(run=run_listener)

    curves = train.add_parser("curves", help="how a run went: a page of charts from its log")
    curves.add_argument("log", type=Path, metavar="RUN", help="run folder, or a log.jsonl")
    curves.add_argument("out", type=Path, metavar="OUT", help="HTML file")
    curves.set_defaults(run=run_curves)


def _add_codec(train: "argparse._SubParsersAction[Any]") -> None:
    codec = train.add_parser("codec", help="the audio family's codec")
    codec.add_argument("corpus", type=Path, metavar="CORPUS", help="as `stemgen synthesize` makes it")
    _add_run(codec)
    codec.add_argument(
        "--config",
        default="small",
        metavar="NAME",
        help="bands (for a CPU), small, encodec_32khz, stereo_48khz or tiny (%(default)s)",
    )
    codec.add_argument(
        "--from", dest="start_from", type=Path, metavar="CODEC", help="begin with the weights of a codec"
    )
    codec.add_argument(
        "--adversary-from",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="of the steps, EnCodec; 1: never (%(default)s)",
    )
    codec.add_argument("--frozen-tokens", action="store_true", help="train the decoder alone: codes stay valid")
    codec.set_defaults(run=run_codec)


def run_codec(parsed: argparse.Namespace) -> None:
    """Train the codec of the audio family."""
    from stemgen_core.training.codec import CODEC_TRAINING_PRESETS, train_codec
    from stemgen_core.training.encodec_run import EncodecTrainingConfig

    presets = CODEC_TRAINING_PRESETS
    if parsed.config not in presets:
        raise InvalidRequestError(f"There is no codec called {parsed.config!r}. Choose one of: {', '.join(presets)}.")
    config = presets[parsed.config]
    if parsed.steps is not None:
        config = replace(config, num_steps=parsed.steps)
    if parsed.adversary_from < 1 or parsed.frozen_tokens:
        if not isinstance(config, EncodecTrainingConfig):
            raise InvalidRequestError("Only an EnCodec has an adversary or an encoder to freeze; bands are fixed.")
        config = replace(config, adversary_from=parsed.adversary_from, has_frozen_tokens=parsed.frozen_tokens)
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
            start_from=parsed.start_from,
            report_progress=report,
            should_stop=lambda: parsed.minutes is not None and time.monotonic() - started > 60 * parsed.minutes,
        )
    print(f"{result.step} steps; the codec lies in {result.codec_path}")


def run_lm(parsed: argparse.Namespace) -> None:
    """Train the language model; write a bundle if asked."""
    import torch

    from stemgen_core.checkpoint import read_manifest
    from stemgen_core.corpus.storage import Corpus
    from stemgen_core.training.lm import LmTrainer, LmTrainingConfig

    if parsed.threads is not None:
        torch.set_num_threads(parsed.threads)
    if parsed.data is not None:
        _fine_tune(parsed)
        return
    if parsed.run_folder is None:
        raise InvalidRequestError("Name a corpus and the run's folder: stemgen train lm CORPUS RUN.")
    config = LmTrainingConfig(size=parsed.size or "small", **_given(parsed))
    corpus = Corpus.open(parsed.corpus)
    trainer = LmTrainer(
        _family(parsed.codec, corpus), corpus, parsed.run_folder, config, parsed.device, start_from=parsed.start_from
    )
    is_first = trainer.processes.is_first
    with tqdm(total=config.num_steps, initial=trainer.step, unit="step", disable=not is_first) as bar:
        is_finished = trainer.run(max_seconds=_max_seconds(parsed), report=_reporting_to(bar))
    if not is_first:  # of several processes, one writes
        return
    print(f"{trainer.step} steps; " + ("the schedule is at its end" if is_finished else "run it again to go on"))
    if parsed.bundle is not None:
        facts: dict[str, object] = {"corpus": corpus.manifest}
        if parsed.start_from is not None:
            facts["start_from"] = read_manifest(parsed.start_from).model_id
        manifest = trainer.write_bundle(parsed.bundle, facts)
        print(f"{manifest.model_id} written to {parsed.bundle}")


def _fine_tune(parsed: argparse.Namespace) -> None:
    """Train a bundle on a folder of stems, and print what that did to its scores."""
    from stemgen_core.checkpoint import read_manifest
    from stemgen_core.corpus.storage import Corpus
    from stemgen_core.training.fine_tuning import OTHER, OWN, FineTuning, family_of, schedule_of, score_lines, take_in

    if parsed.start_from is None or parsed.run_folder is not None:
        raise InvalidRequestError("To fine-tune: stemgen train lm --from BUNDLE --data FOLDER RUN.")
    if parsed.size is not None or parsed.codec is not None:
        raise InvalidRequestError(
            "A bundle that is fine-tuned keeps its size and its codec: leave out --size, --codec."
        )
    run_folder = parsed.corpus  # the only folder that is named beside the data
    base = read_manifest(parsed.start_from)
    config = schedule_of(base, _given(parsed))
    with tqdm(unit="piece") as bar:
        corpus = take_in(
            parsed.data,
            base,
            run_folder,
            sound=family_of(parsed.start_from, base).sound,
            seed=config.seed,
            num_pieces=parsed.pieces,
            report_progress=follow_with(bar),
        )
    compare = None if parsed.compare is None else Corpus.open(parsed.compare)
    tuning = FineTuning(parsed.start_from, corpus, run_folder, config, parsed.device, compare=compare)
    with tqdm(total=config.num_steps, initial=tuning.trainer.step, unit="step") as bar:
        result = tuning.run(max_seconds=_max_seconds(parsed), report=_reporting_to(bar))
    if result is None:
        print(f"{tuning.trainer.step} steps; run it again to go on")
        return
    titles = {OWN: f"held-out pieces of {parsed.data}", OTHER: f"held-out pieces of {parsed.compare}"}
    print("\n".join([f"{tuning.trainer.step} steps", *score_lines(result, titles)]))
    facts = {"corpus": corpus.manifest, "scores_before": result.before, "scores_after": result.after}
    bundle = parsed.bundle or run_folder / "bundle"
    print(f"{tuning.write_bundle(bundle, facts).model_id} written to {bundle}")


def _given(parsed: argparse.Namespace) -> dict[str, Any]:
    """Return what was said of the training itself, by the names of `LmTrainingConfig`."""
    given = {
        "num_steps": parsed.steps,
        "batch_size": parsed.batch_size,
        "window_frames": parsed.window_frames,
        "learning_rate": parsed.learning_rate,
        "optimizer": parsed.optimizer,
        "seed": parsed.seed,
        "evaluate_every": parsed.evaluate_every,
        "patience": parsed.patience,
        "num_loaders": parsed.loaders,
        "is_compiled": parsed.compile,
        "has_bfloat16": False if parsed.float32 else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _max_seconds(parsed: argparse.Namespace) -> float | None:
    return None if parsed.minutes is None else 60 * parsed.minutes


def _reporting_to(bar: "tqdm[Any]") -> "Callable[[int, dict[str, float]], None]":
    def report(step: int, values: dict[str, float]) -> None:
        bar.update(step - bar.n)
        bar.write(f"{step}  " + "  ".join(f"{name} {values[name]:.3f}" for name in LOGGED if name in values))

    return report


def run_tokens(parsed: argparse.Namespace) -> None:
    """Write the codes of a corpus."""
    from stemgen_core.codec.waveform_codec import load_waveform_codec
    from stemgen_core.corpus.storage import Corpus
    from stemgen_core.training.tokens import TokenSettings, tokenise_corpus

    corpus = Corpus.open(parsed.corpus)
    pieces = corpus.pieces()
    with tqdm(total=len(pieces), unit="piece") as bar:

        def report(done: int) -> None:
            bar.update(done - bar.n)

        written = tokenise_corpus(
            iter(pieces),
            corpus,
            load_waveform_codec(parsed.codec),
            parsed.out,
            TokenSettings(parsed.renders, parsed.mixes, parsed.seed, parsed.hearing),
            device=parsed.device,
            num_processes=parsed.processes,
            report_progress=report,
        )
    print(f"{len(written.pieces())} pieces, {parsed.renders} renders each: {parsed.out}")


def run_listener(parsed: argparse.Namespace) -> None:
    """Train a contrastive listener."""
    import torch

    from stemgen_core.corpus.storage import Corpus
    from stemgen_core.training.listener import ListenerTrainingConfig, train_listener

    if parsed.threads is not None:
        torch.set_num_threads(parsed.threads)
    given = {"num_steps": parsed.steps, "num_mixes": parsed.mixes, "seed": parsed.seed}
    config = replace(ListenerTrainingConfig(), **{name: value for name, value in given.items() if value is not None})
    with tqdm(unit="piece") as heard, tqdm(total=config.num_steps, unit="step") as bar:

        def report(step: int, loss: float) -> None:
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{loss:.3f}")

        train_listener(Corpus.open(parsed.corpus), parsed.out, config, report_heard=follow_with(heard), report=report)
    print(f"the listener lies in {parsed.out}")


def run_curves(parsed: argparse.Namespace) -> None:
    """Draw a run's log."""
    from stemgen_core.training.curves import write_curves

    write_curves(parsed.log, parsed.out)
    print(f"open {parsed.out}")


def _family(codec_path: Path | None, corpus: "Corpus") -> "TrainingFamily":
    from stemgen_core.codec.waveform_codec import load_waveform_codec
    from stemgen_core.training.families import AudioFamily, ScoreFamily
    from stemgen_core.training.token_batches import TokenFamily

    if codec_path is None:
        return ScoreFamily()
    codec = load_waveform_codec(codec_path)
    return TokenFamily(codec, corpus.manifest["tokens"]) if "tokens" in corpus.manifest else AudioFamily(codec)


def _add_run(parser: argparse.ArgumentParser, **options: Any) -> None:
    words = "checkpoints and log; taken up if it is there"
    parser.add_argument("run_folder", type=Path, metavar="RUN", help=words, **options)
    parser.add_argument("--steps", type=int, metavar="N", help="of the whole schedule")
    parser.add_argument("--minutes", type=float, metavar="X", help="stop this leg after so long; run again to go on")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--threads", type=int, metavar="N", help="of torch on the CPU")
