"""`stemgen generate`: a context file in, stems and mixes out."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from stemgen_core.cli.options import add_model, add_sampling, follow_with, load_generator, read_sampling
from stemgen_core.errors import InvalidRequestError

if TYPE_CHECKING:
    from stemgen_core.generator import GenerationRequest, GenerationResult
    from stemgen_core.types import Waveform

MAX_VARIATIONS = 16


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command."""
    parser = commands.add_parser("generate", help="add a stem to a mix")
    parser.add_argument("context", type=Path, metavar="CONTEXT", help="audio file to play along with")
    parser.add_argument("--instrument", required=True, metavar="NAME", help="see `stemgen instruments`")
    parser.add_argument("--genre", metavar="NAME", help="see `stemgen info`; what it sounds like, too (any)")
    parser.add_argument("--stem-category", metavar="NAME", help="melodic, harmonic, percussive or bass (any)")
    parser.add_argument("--variations", type=int, default=2, metavar="N", help="how many to make (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first; each next is one more")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for stems, mixes and JSON")
    add_sampling(parser)
    add_model(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Generate and write `stem-N.wav`, `mix-N.wav`, `stem-N.mid` and `generation.json`."""
    from stemgen_core.audio import read_audio
    from stemgen_core.generator import GenerationRequest

    if not 1 <= parsed.variations <= MAX_VARIATIONS:
        raise InvalidRequestError(f"Ask for 1 to {MAX_VARIATIONS} variations, got {parsed.variations}.")
    settings = read_sampling(parsed)
    context = read_audio(parsed.context)
    generator = load_generator(parsed.model)
    parsed.out.mkdir(parents=True, exist_ok=True)
    variations = []
    for number in range(1, parsed.variations + 1):
        request = GenerationRequest(
            parsed.instrument,
            parsed.seed + number - 1,
            settings,
            genre=parsed.genre,
            stem_category=parsed.stem_category,
        )
        with tqdm(
            total=1000,
            desc=f"variation {number}",
            disable=not sys.stderr.isatty(),
            bar_format="{l_bar}{bar}| {elapsed}",
        ) as bar:
            move = follow_with(bar)
            result = generator.generate(
                context, request, report_progress=lambda share, move=move: move(round(1000 * share), 1000)
            )
        variations.append(_write_variation(parsed.out, number, context, request, result))
    record = {
        "model_id": generator.model_id,
        "context": {
            "file": parsed.context.name,
            "seconds": round(context.duration_s, 4),
            "sample_rate_hz": context.sample_rate_hz,
        },
        "instrument": parsed.instrument,
        "genre": parsed.genre,
        "stem_category": parsed.stem_category,
        "preset": parsed.preset,
        "settings": asdict(settings),
        "variations": variations,
    }
    (parsed.out / "generation.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    _report(variations)


def _write_variation(
    folder: Path, number: int, context: "Waveform", request: "GenerationRequest", result: "GenerationResult"
) -> dict[str, Any]:
    """Write the files of one variation; return its line of the record."""
    from stemgen_core.audio import mix_waveforms, write_wav
    from stemgen_core.sound.midi import write_midi
    from stemgen_core.sound.programs import choose_sound

    write_wav(folder / f"stem-{number}.wav", result.stem)
    write_wav(folder / f"mix-{number}.wav", mix_waveforms([context, result.stem]))
    files = [f"stem-{number}.wav", f"mix-{number}.wav"]
    if result.notes is not None:
        write_midi(
            folder / f"stem-{number}.mid", result.notes, choose_sound(request.instrument, request.seed, request.genre)
        )
        files.append(f"stem-{number}.mid")
    return {
        "files": files,
        "seed": request.seed,
        "seconds_spent": round(result.seconds_spent, 3),
        "fit": result.fit.to_json(),
        "listening_score": result.listening_score,
        "judge": result.judge,
        "chosen_candidates": result.chosen_candidates,
    }


def _report(variations: Sequence[dict[str, Any]]) -> None:
    for variation in variations:
        fit = variation["fit"]
        measured = [f"{fit['level_db']:+.1f} dB against the mix", fit["verdict"]]
        if fit["offset_ms"] is not None:
            measured.insert(0, f"{fit['offset_ms']:+.0f} ms")
        seed, seconds = variation["seed"], variation["seconds_spent"]
        print(f"{variation['files'][0]}  seed {seed}  {seconds:.1f} s  {', '.join(measured)}")
