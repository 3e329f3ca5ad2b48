"""Debian's `mma` as a source: our chord charts, its bands. It is a program of its own (GPL) and runs as one."""

import random
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stemgen_core.corpus.genre_table import GENRES
from stemgen_core.corpus.plan import Plan, draw_plan
from stemgen_core.corpus.sources.midi_folder import piece_of_song
from stemgen_core.corpus.sources.midi_reading import read_midi
from stemgen_core.corpus.sources.source import CORPUS_SOUND, SourcedPiece, Split
from stemgen_core.errors import InvalidRequestError, MissingDependencyError
from stemgen_core.types import SoundFormat

_TIMEOUT_S = 60
# A genre of ours and grooves of mma's standard library that suit its chords.
_GROOVES: dict[str, tuple[str, ...]] = {
    "pop": ("8Beat", "PopBallad", "SoftRock", "BoneyM"),
    "rock": ("BasicRock", "60sRock", "50sRock", "BubbleRock"),
    "blues": ("Blues", "FastBlues", "SlowBlues", "BoggieWoggie"),
    "jazz": ("Swing", "BigBand", "JazzCombo", "EasySwing", "JazzGuitar"),
    "bossa": ("BossaNova", "Samba"),
    "latin": ("Rhumba", "Mambo", "Salsa", "ChaCha", "Merengue", "Son"),
    "country": ("CountrySwing", "WesternSwing", "CountryBlues", "SlowCountry"),
    "reggae": ("Ska", "Calypso"),
    "ballad": ("Ballad", "RockBallad", "PianoBallad", "GuitarBallad"),
    "funk": ("BVFunk", "LFusion", "JazzRock"),
    "soul": ("RB", "DSoul"),
    "folk": ("Folk", "FolkBallad", "FolkRock", "BlueGrass"),
    "techno": ("Trance",),
}
_CHORD_NAMES = {
    **{"": "", "m": "m", "5": "5", "dim": "dim", "aug": "aug", "sus4": "sus4", "sus2": "sus2", "6": "6", "m6": "m6"},
    **{"7": "7", "maj7": "M7", "m7": "m7", "m7b5": "m7b5", "dim7": "dim7", "7sus4": "7sus4", "9": "9", "maj9": "M9"},
    **{"m9": "m9", "add9": "(add9)"},
}
_PITCH_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")


class Mma:
    """See the module's docstring.

    Raises:
        MissingDependencyError: if `mma` is not installed.
    """

    def __init__(self) -> None:
        program = shutil.which("mma")
        if program is None:
            raise MissingDependencyError("This source needs the program mma. On Debian and Ubuntu: apt install mma.")
        self._program = program

    def has(self, split: Split) -> bool:
        """Always: charts are composed."""
        return split in ("train", "heldout")

    def describe(self) -> dict[str, Any]:
        """Return what the manifest records."""
        done = subprocess.run([self._program, "-v"], capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
        return {
            "kind": "mma",
            "version": (done.stdout or done.stderr).strip().splitlines()[-1] if (done.stdout or done.stderr) else "",
            "licences": {"chords": "composed by this project, MIT", "program": "mma, GPL-2.0-or-later, not shipped"},
        }

    def draw(self, seed: int, split: Split, duration_s: float, sound: SoundFormat = CORPUS_SOUND) -> SourcedPiece:
        """Return what mma makes of a chart; see `PieceSource`.

        Raises:
            InvalidRequestError: if mma makes nothing of it.
        """
        rng = random.Random(f"{seed}:mma")
        name = rng.choice(list(_GROOVES))
        genre = replace(GENRES[name], meter="4/4")
        tempo_bpm = round(rng.uniform(*genre.tempo_bpm))
        num_bars = int(duration_s * tempo_bpm / 240) + 3
        plan = draw_plan(genre, num_bars, rng)
        grooves = rng.sample(_GROOVES[name], len(_GROOVES[name]))
        with tempfile.TemporaryDirectory() as folder:
            path = self._perform(plan, grooves, tempo_bpm, Path(folder), seed)
            song = read_midi(path)
        piece = piece_of_song(song, f"{name} {seed}", seed, duration_s, rng, genre=name, is_varied=False)
        if len(piece.stems) < 2:
            raise InvalidRequestError(f"mma made fewer than two parts of chart {seed}.")
        return SourcedPiece(replace(piece, source="mma", start="chords"))

    def _perform(self, plan: Plan, grooves: Sequence[str], tempo_bpm: int, folder: Path, seed: int) -> Path:
        """Return the MIDI file that mma writes, with the first groove it knows."""
        last = ""
        for groove in grooves:
            chart, result = folder / "chart.mma", folder / "chart.mid"
            chart.write_text(chart_of(plan, groove, tempo_bpm, seed), encoding="utf-8")
            done = subprocess.run(
                [self._program, "-f", str(result), str(chart)],
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIMEOUT_S,
                cwd=folder,
            )
            if done.returncode == 0 and result.exists():
                return result
            last = (done.stdout + done.stderr).strip().splitlines()[-1] if (done.stdout + done.stderr).strip() else ""
        raise InvalidRequestError(f"mma made nothing of a chart with {', '.join(grooves)}: {last}")


def chart_of(plan: Plan, groove: str, tempo_bpm: int, seed: int) -> str:
    """Return a plan's chords as mma reads them, one bar a line."""
    lines = [f"RndSeed {seed}", f"Tempo {tempo_bpm}", f"Groove {groove}"]
    for bar in range(plan.num_bars):
        begin = bar * plan.meter.steps_per_bar
        symbols = ["/"] * plan.meter.beats_per_bar
        for spot in plan.spots:
            if begin <= spot.start_step < begin + plan.meter.steps_per_bar:
                beat = (spot.start_step - begin) // plan.meter.steps_per_beat
                symbols[beat] = _PITCH_NAMES[spot.chord.root] + _CHORD_NAMES[spot.chord.quality]
        lines.append(f"{bar + 1} {' '.join(symbols)}")
    return "\n".join(lines) + "\n"
