"""How fast this machine trains: frames a second and model-FLOP utilisation by size, and what the loaders give.

python benchmarks/training_speed.py                         # sizes and batches of this machine's kind
python benchmarks/training_speed.py --codec small           # the audio family on codes of that preset (or: bands)
python benchmarks/training_speed.py --corpus CORPUS         # how many batches a second one loader makes, too
"""

import argparse
import time
from pathlib import Path

import torch

from stemgen_core.corpus.storage import Corpus
from stemgen_core.model.config import SIZES, ModelConfig
from stemgen_core.training.codec import CODEC_TRAINING_PRESETS
from stemgen_core.training.families import ScoreFamily, audio_config
from stemgen_core.training.lm_config import LmTrainingConfig
from stemgen_core.training.speed import measure_speed, peak_flops_per_s
from stemgen_core.types import Hearing

LOADED_BATCHES = 5


def main() -> None:
    """Print one line per size and batch."""
    is_cuda = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if is_cuda else "cpu")
    parser.add_argument("--sizes", nargs="+", default=["small", "base", "paper"] if is_cuda else ["tiny", "small"])
    parser.add_argument("--batches", nargs="+", type=int, default=[16, 64, 128] if is_cuda else [4, 16])
    parser.add_argument("--frames", type=int, default=250)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument(
        "--codec", choices=sorted(CODEC_TRAINING_PRESETS), help="the audio family on this codec's codes"
    )
    parser.add_argument("--hearing", choices=("codes", "bands"), default="codes", help="of the audio family")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--float32", action="store_true", help="not bfloat16")
    parser.add_argument("--corpus", type=Path)
    parsed = parser.parse_args()

    dtype = LmTrainingConfig(has_bfloat16=not parsed.float32).dtype_on(parsed.device)
    peak = peak_flops_per_s(parsed.device, dtype)
    print(f"{parsed.device}, torch {torch.__version__}, matrix products in {dtype}: {peak / 1e12:.2f} TFLOP/s")
    print("size    batch  frames/s    s/step   MFLOP/frame  utilisation")
    for size in parsed.sizes:
        refuse_unknown(size)
        for batch_size in parsed.batches:
            run = LmTrainingConfig(
                size=size,
                batch_size=batch_size,
                window_frames=parsed.frames,
                has_bfloat16=not parsed.float32,
                is_compiled=parsed.compile,
            )
            config = model_config(size, parsed.codec, parsed.hearing)
            speed = measure_speed(config, run, parsed.device, peak=peak, num_steps=parsed.steps)
            print(
                f"{size:7s} {batch_size:5d} {speed.frames_per_s:9.0f} {speed.seconds_per_step:9.3f}"
                f" {speed.flops_per_frame / 1e6:13.1f} {speed.utilisation:12.1%}"
            )
    if parsed.corpus is not None:
        measure_loader(parsed.corpus, max(parsed.batches), parsed.frames)


def model_config(size: str, codec: str | None, hearing: Hearing) -> ModelConfig:
    """Return the model of a size: of the score family, or on the codes of a codec, hearing codes or bands."""
    if codec is None:
        return ScoreFamily().model_config(size)
    return audio_config(size, CODEC_TRAINING_PRESETS[codec].codec.spec, hearing)


def refuse_unknown(size: str) -> None:
    """Stop with a sentence where a size is unknown."""
    if size not in SIZES:
        raise SystemExit(f"There is no size called {size!r}. Choose among: {', '.join(SIZES)}.")


def measure_loader(corpus_folder: Path, batch_size: int, num_frames: int) -> None:
    """Print how fast one process makes examples of the score family."""
    pieces = Corpus.open(corpus_folder).pieces("train")
    batches = ScoreFamily().batches(pieces, batch_size=batch_size, window_frames=num_frames, seed=0, is_rough=True)
    batches[0]
    began_s = time.monotonic()
    for index in range(1, LOADED_BATCHES + 1):
        batches[index]
    seconds = (time.monotonic() - began_s) / LOADED_BATCHES
    frames_per_s = batch_size * num_frames / seconds
    print(f"one loader: {1 / seconds:.2f} batches of {batch_size} a second, {frames_per_s:.0f} frames/s")


if __name__ == "__main__":
    main()
