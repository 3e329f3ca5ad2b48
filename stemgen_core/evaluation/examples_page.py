"""A page of examples to hear and see, like the one that the paper's authors put beside theirs: static HTML and MP3.

Nothing is chosen by hand or by score: windows are drawn by the seed, and every turn goes on with its first variation.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np

from stemgen_core.analysis.fit import FitReport
from stemgen_core.audio import DecodingLimits, mix_waveforms, read_audio, resample, to_mono
from stemgen_core.corpus.storage import CorpusPiece
from stemgen_core.drawing import RollLane, audio_player, page, piano_roll_svg, spectrogram_png, write_listenable
from stemgen_core.evaluation.experiments.clips import LAYERS_ON_DRUMS, LAYERS_ON_PITCHED, Clip, fit_cells
from stemgen_core.evaluation.held_out import held_out_windows
from stemgen_core.evaluation.report import interval_cell
from stemgen_core.generator import GenerationRequest, GenerationResult, StemGenerator
from stemgen_core.instruments import find_instrument
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.types import Waveform

PAGE_RATE_HZ = 24_000  # enough to judge by, at half the bytes
_UNMEASURED = interval_cell(None)
_COMPRESSION = 0.8  # about 6 kB a second
RECORDING_LIMITS = DecodingLimits(max_duration_s=1800.0)
RECORDING_SUFFIXES = (".ogg", ".opus", ".mp3", ".flac", ".wav", ".m4a")
_WINDOW_S = 10.0
_NUM_VARIATIONS = 2  # of the first turn on a clip


@dataclass
class ExamplesPage:
    """A page under construction.

    Attributes:
        folder: where page, sounds and pictures go.
        generator: the model.
        settings: how to decode.
        seed: of windows and stems.
        report: called after each generated stem.
    """

    folder: Path
    generator: StemGenerator
    settings: SamplingSettings
    seed: int = 1
    report: Callable[[], object] = lambda: None
    _parts: list[str] = field(default_factory=list, init=False)

    def add_heading(self, title: str, text: str) -> None:
        """Add a heading with a line of explanation."""
        self._parts.append(f'<h2>{escape(title)}</h2>\n<p class="faint">{escape(text)}</p>')

    def add_held_out(self, pieces: Sequence[CorpusPiece], num_examples: int) -> None:
        """Add windows of held-out pieces: context, generated stem, mix, and the stem that the piece has there."""
        offered = [instrument.name for instrument in self.generator.instruments]
        windows = held_out_windows(pieces, offered, num_items=num_examples, window_s=_WINDOW_S, seed=self.seed)
        for number, item in enumerate(windows, start=1):
            result = self._generate(item.context, item.instrument, item.seed)
            beats_s = () if item.facts is None else item.facts.beats_s
            name = f"test-{number}"
            players = self._players(name, item.context, result)
            self._add_card(
                f"{number}. {find_instrument(item.instrument).label}",
                result.fit,
                players,
                self._picture(name, result, item.instrument, beats_s),
            )

    def add_clip(self, clip: Clip) -> None:
        """Add a clip that is built upon turn by turn; each turn hears the mix of all before."""
        layers = LAYERS_ON_PITCHED if clip.is_pitched else LAYERS_ON_DRUMS
        offered = {instrument.name for instrument in self.generator.instruments}
        mix = kept = clip.audio
        context_file = f"{clip.name}-start.mp3"
        self._write_sound(context_file, mix)
        self._parts.append(f'<div class="sounds">{audio_player(context_file, f"{clip.name}: the start")}</div>')
        for turn, instrument in enumerate([name for name in layers if name in offered][:3], start=1):
            label = find_instrument(instrument).label
            for variation in range(1, (_NUM_VARIATIONS if turn == 1 else 1) + 1):
                result = self._generate(mix, instrument, self.seed + 100 * turn + variation)
                name = f"{clip.name}-{turn}" + ("" if variation == 1 else f"-{variation}")
                players = self._players(name, mix, result, context_file=context_file)
                title = f"Turn {turn}: {label}" + (f", variation {variation}" if turn == 1 else "")
                self._add_card(title, result.fit, players, self._picture(name, result, instrument, ()))
                if variation == 1:
                    kept = to_mono(result.stem)
            mix, context_file = mix_waveforms([mix, kept]), f"{clip.name}-{turn}-mix.mp3"

    def add_recordings(self, paths: Sequence[Path]) -> None:
        """Add recordings as they are, each with its spectrogram: what was played live."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            shutil.copyfile(path, self.folder / path.name)
            heard = to_mono(read_audio(path, limits=RECORDING_LIMITS))
            picture = f"{path.stem}.png"
            (self.folder / picture).write_bytes(spectrogram_png(heard.samples.numpy(), heard.sample_rate_hz))
            title = path.stem.replace("-", " ").replace("_", " ").capitalize()
            self._parts.append(
                f'<section class="card"><h3>{escape(title)}</h3>\n<p class="faint">{heard.duration_s:.0f} s</p>\n'
                f'<div class="sounds">{audio_player(path.name, title)}</div>\n'
                f'<img src="{escape(picture)}" alt="Spectrogram: {escape(title)}"></section>'
            )

    def write(self, *, command: str) -> Path:
        """Write `index.html`; returns its path.

        Args:
            command: that makes this page, for people who want to make it again.
        """
        intro = (
            f"<p>Stems by the model <code>{escape(self.generator.model_id)}</code>. Each was made for the context that"
            " stands beside it, from its sound alone. Nothing was chosen by ear or by score.</p>\n"
            f'<p class="faint">Made by <code>{escape(command)}</code>. Offset, agreement in time and in harmony (0 ='
            " chance, 1 = as true stems) and level are measured as in the studio.</p>"
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "index.html"
        path.write_text(page("StemGen: examples", "\n".join([intro, *self._parts])), encoding="utf-8")
        return path

    def _generate(self, context: Waveform, instrument: str, seed: int) -> GenerationResult:
        result = self.generator.generate(context, GenerationRequest(instrument, seed, self.settings))
        self.report()
        return result

    def _players(self, name: str, context: Waveform, result: GenerationResult, context_file: str | None = None) -> str:
        """Write what there is to hear; returns the players. A context that is on the page already is not written."""
        if context_file is None:
            context_file = f"{name}-context.mp3"
            self._write_sound(context_file, context)
        self._write_sound(f"{name}-stem.mp3", to_mono(result.stem))
        self._write_sound(f"{name}-mix.mp3", mix_waveforms([context, to_mono(result.stem)]))
        sounds = (("context", context_file), ("stem", f"{name}-stem.mp3"), ("mix", f"{name}-mix.mp3"))
        return f'<div class="sounds">{"".join(audio_player(file, caption) for caption, file in sounds)}</div>'

    def _write_sound(self, file: str, waveform: Waveform) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        samples = resample(to_mono(waveform), PAGE_RATE_HZ).samples.numpy()
        peak = float(np.abs(samples).max(initial=0.0))
        quiet = (samples / max(1.0, peak)).astype(np.float32)
        write_listenable(self.folder / file, quiet, PAGE_RATE_HZ, compression=_COMPRESSION)

    def _picture(self, name: str, result: GenerationResult, instrument: str, beats_s: Sequence[float]) -> str:
        """Return a piano roll where there are notes, else a spectrogram."""
        found = find_instrument(instrument)
        if result.notes is not None:
            lane = RollLane(found.label, result.notes, found.is_drums)
            return piano_roll_svg([lane], duration_s=result.stem.duration_s, beats_s=beats_s)
        file = f"{name}.png"
        picture = spectrogram_png(result.stem.samples.numpy(), result.stem.sample_rate_hz)
        (self.folder / file).write_bytes(picture)
        return f'<img src="{escape(file)}" alt="Spectrogram of the stem: {escape(found.label)}">'

    def _add_card(self, title: str, fit: FitReport, players: str, picture: str) -> None:
        offset, onsets, harmony, level, verdict = fit_cells(fit)
        parts = (("offset", offset), ("time", onsets), ("harmony", harmony), ("level", level))
        # Drums have no harmony, a drone no onsets: what could not be measured is not mentioned.
        measured = f"fit {verdict}: {', '.join(f'{name} {value}' for name, value in parts if value != _UNMEASURED)}"
        self._parts.append(
            f'<section class="card"><h3>{escape(title)}</h3>\n<p class="faint">{escape(measured)}</p>\n'
            f"{players}\n{picture}</section>"
        )


def write_examples(
    page_of: ExamplesPage,
    *,
    pieces: Sequence[CorpusPiece],
    clips: Sequence[Clip],
    num_examples: int,
    command: str,
    recordings: Sequence[Path] = (),
) -> Path:
    """Make the whole page: test-set examples, every clip layer by layer, what was recorded live.

    Raises:
        InvalidRequestError: if too few held-out windows are there.
        AudioFormatError: if a recording can't be read.
    """
    if pieces:
        page_of.add_heading(
            "Test-set examples",
            "Windows of held-out pieces, played with a soundfont that no training heard. The instrument is drawn from"
            " those that the piece has there.",
        )
        page_of.add_held_out(pieces, num_examples)
    for clip in clips:
        kind = "its harmony" if clip.is_pitched else "its rhythm; harmony is the model's own choice"
        page_of.add_heading(
            f"Starting from {clip.name}",
            f"A clip that no training resembles: stems must follow {kind}. Each turn hears the mix of all before.",
        )
        page_of.add_clip(clip)
    if recordings:
        page_of.add_heading(
            "Played live",
            "Recorded in real time: loops that never stop, while the model makes the next version of one part for what"
            " the others play.",
        )
        page_of.add_recordings(recordings)
    return page_of.write(command=command)
