"""Makes the finished example session with the bundled model: `python -m app.examples.record`.

Minutes on a quiet machine; the same bundle on the same machine gives the same session again.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.examples import load_examples
from app.examples.finished import INDEX_NAME, SESSION_FOLDER
from app.ranking import best_first
from app.settings import Settings
from app.sounds import read_kept
from stemgen_core.audio import mix_waveforms, write_flac
from stemgen_core.generator import GenerationRequest, GenerationResult, StemGenerator
from stemgen_core.sampling.settings import PRESETS
from stemgen_core.types import Waveform

CONTEXT_ID = "drums"
PRESET = "balanced"


@dataclass(frozen=True, slots=True)
class Step:
    """One turn: what is asked for, on top of which earlier turn (-1: the context)."""

    instrument: str
    on: int
    first_seed: int
    num_variations: int


STEPS = (Step("bass", -1, 11, 2), Step("piano", 0, 21, 2), Step("guitar", 0, 31, 1))


def record(generator: StemGenerator, folder: Path) -> None:
    """Make the session and write it to a folder, which is emptied first."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    example = load_examples()[CONTEXT_ID]
    context = read_kept(example.path)
    picked: list[Waveform] = []
    turns: list[dict[str, Any]] = []
    for number, step in enumerate(STEPS):
        mix = mix_waveforms([context, *_below(step.on, picked)])
        results = []
        for seed in range(step.first_seed, step.first_seed + step.num_variations):
            results.append(generator.generate(mix, GenerationRequest(step.instrument, seed, PRESETS[PRESET])))
            sys.stderr.write(f"{step.instrument} {seed}: {results[-1].fit.verdict}\n")
        best = best_first([result.fit_to_keep() for result in results])[0]
        picked.append(results[best].stem)
        turns.append(
            {
                "on": step.on,
                "instrument": step.instrument,
                "preset": PRESET,
                "settings": asdict(PRESETS[PRESET]),
                "seeds": list(range(step.first_seed, step.first_seed + step.num_variations)),
                "picked": best,
                "variations": [_keep(result, folder, f"{number}-{at}.flac") for at, result in enumerate(results)],
            }
        )
    content = {
        "name": f"{example.label}, finished",
        "model_id": generator.model_id,
        "context": {"example_id": CONTEXT_ID, "name": example.label},
        "turns": turns,
    }
    (folder / INDEX_NAME).write_text(json.dumps(content, separators=(",", ":")) + "\n", "utf-8")


def _below(on: int, picked: list[Waveform]) -> list[Waveform]:
    """Return the stems that sound where a turn continues from."""
    stems: list[Waveform] = []
    while on >= 0:
        stems.append(picked[on])
        on = STEPS[on].on
    return stems


def _keep(result: GenerationResult, folder: Path, name: str) -> dict[str, Any]:
    write_flac(folder / name, result.stem, bit_depth=16)
    notes = None
    if result.notes is not None:
        notes = [[round(n.start_s, 4), n.pitch, round(n.duration_s, 4), n.velocity] for n in result.notes]
    return {"file": name, "fit": result.fit_to_keep(), "notes": notes, "seconds_spent": round(result.seconds_spent, 2)}


def main() -> int:
    """Write the session of the bundled model."""
    record(StemGenerator.load(Settings.from_environment().bundle_path), SESSION_FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
