"""How late each sound of the bundled font is heard: `python -m benchmarks.sound_attacks`.

Milliseconds between a note's time and the onset that `stemgen_core.analysis` hears, median of 24 notes and how far four
fifths of them lie around it: as the font plays, and as `SoundfontPlayer` plays it, which begins late sounds earlier
(`stemgen_core.sound.programs`). Below 8 is what clean attacks take.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from stemgen_core.analysis.onset import onset_envelope, pick_onsets
from stemgen_core.checkpoint import SHIPPED_BUNDLE_PATH
from stemgen_core.score import Note
from stemgen_core.sound.programs import SOUNDS, Sound
from stemgen_core.sound.soundfont import SoundfontPlayer
from stemgen_core.types import Waveform

RATE_HZ = 32_000
NUM_NOTES, SPACING_S, LASTING_S = 24, 0.43, 0.28
RANGES = {"bass": (28, 50), "guitar": (45, 72), "piano": (45, 80)}
OTHER_RANGE = (50, 80)
KIT = (36, 38, 42, 46, 45, 49)


def lateness_ms(player: SoundfontPlayer, sound: Sound, pitches: Sequence[int]) -> np.ndarray:
    """Return how much later than struck each note is heard, milliseconds; NaN where it is not within 0.1 s.

    Args:
        player: has the sound.
        sound: what plays.
        pitches: one note each.
    """
    rng = np.random.default_rng(0)
    times_s = 0.5 + SPACING_S * np.arange(len(pitches)) + rng.uniform(-0.05, 0.05, len(pitches))
    notes = [Note(float(at), int(pitch), LASTING_S, 90) for at, pitch in zip(times_s, pitches, strict=True)]
    length = round((times_s[-1] + 1) * RATE_HZ)
    audio = player.render(notes, sound, sample_rate_hz=RATE_HZ, num_audio_samples=length)
    onsets_s = pick_onsets(onset_envelope(Waveform(torch.from_numpy(audio), RATE_HZ)))
    if len(onsets_s) == 0:
        return np.full(len(times_s), np.nan)
    late_ms = 1000 * np.array([onsets_s[np.abs(onsets_s - at).argmin()] - at for at in times_s])
    return np.where(np.abs(late_ms) < 100, late_ms, np.nan)


def usual_pitches(instrument: str) -> list[int]:
    """Return what to play on an instrument to hear how late it is."""
    if instrument == "drums":
        return list(KIT * (NUM_NOTES // len(KIT)))
    return np.random.default_rng(1).integers(*RANGES.get(instrument, OTHER_RANGE), NUM_NOTES).tolist()


def main() -> None:
    """Print one line per sound."""
    player = SoundfontPlayer(SHIPPED_BUNDLE_PATH / "sounds.sf3")
    print(f"{'instrument':<14}{'sound':<24}{'as struck':>16}{'as played':>16}{'heard':>8}")
    for instrument, sounds in SOUNDS.items():
        for sound in sounds:
            pitches = usual_pitches(instrument)
            cells = [_cell(lateness_ms(player, each, pitches)) for each in (replace(sound, late_s=0.0), sound)]
            heard = float(np.isfinite(lateness_ms(player, sound, pitches)).mean())

            print(f"{instrument:<14}{sound.label:<24}{cells[0]:>16}{cells[1]:>16}{heard:>8.2f}")


def _cell(late_ms: np.ndarray) -> str:
    median = np.nanmedian(late_ms)
    return f"{median:.1f} (+-{np.nanpercentile(np.abs(late_ms - median), 80):.1f})"


if __name__ == "__main__":
    main()
