"""What the studio shows about audio that someone wants to play along with: tempo, beats, key, bars."""

from dataclasses import asdict, dataclass
from typing import Any

from stemgen_core.analysis.key import chroma, estimate_key
from stemgen_core.analysis.level import measure_level
from stemgen_core.analysis.onset import onset_envelope, pick_onsets
from stemgen_core.analysis.tempo import estimate_tempo
from stemgen_core.types import Waveform

_BEATS_PER_BAR = 4
_LOOP_TOLERANCE_BEATS = 0.2
_CONFIDENT_TEMPO = 0.2
_MIN_ONSETS = 4


@dataclass(frozen=True, slots=True)
class ContextAnalysis:
    """What was heard in a context; None where it could not be heard.

    Attributes:
        duration_s: length, seconds.
        tempo_bpm: beats per minute; may be half or double of what a musician would count.
        tempo_confidence: 0..1.
        beats_s: beat times, seconds, ascending.
        key: such as "A minor"; None without pitch.
        key_confidence: 0..1.
        num_bars: whole bars of 4/4 that the audio seems to be cut to; None where it isn't a loop.
        active_rms_dbfs: level while it sounds, dB re full scale.
        is_silent: nothing is audible.
    """

    duration_s: float
    tempo_bpm: float | None
    tempo_confidence: float
    beats_s: tuple[float, ...]
    key: str | None
    key_confidence: float
    num_bars: int | None
    active_rms_dbfs: float
    is_silent: bool

    def to_json(self) -> dict[str, Any]:
        """Return the analysis as JSON values."""
        return {**asdict(self), "beats_s": [round(time_s, 4) for time_s in self.beats_s]}


def analyse_context(waveform: Waveform) -> ContextAnalysis:
    """Hear tempo, beats, key and bars of audio.

    Raises:
        AudioFormatError: if there is no sample or a sample is not a finite number.
    """
    level = measure_level(waveform)
    envelope = onset_envelope(waveform)
    if level.is_silent or len(pick_onsets(envelope)) < _MIN_ONSETS:
        bpm, confidence, beats_s = None, 0.0, ()
    else:
        tempo = estimate_tempo(envelope, loop_duration_s=waveform.duration_s)
        bpm, confidence, beats_s = tempo.bpm, tempo.confidence, tuple(tempo.beats_s.tolist())
    key = None if level.is_silent else estimate_key(chroma(waveform))
    return ContextAnalysis(
        duration_s=waveform.duration_s,
        tempo_bpm=bpm,
        tempo_confidence=confidence,
        beats_s=beats_s,
        key=None if key is None else key.label,
        key_confidence=0.0 if key is None else key.confidence,
        num_bars=_whole_bars(waveform.duration_s, bpm, confidence),
        active_rms_dbfs=level.active_rms_dbfs,
        is_silent=level.is_silent,
    )


def _whole_bars(duration_s: float, bpm: float | None, confidence: float) -> int | None:
    """Return the number of 4/4 bars where the length is a whole number of them, as in a loop."""
    if bpm is None or confidence < _CONFIDENT_TEMPO:
        return None
    beats = duration_s * bpm / 60
    num_bars = round(beats / _BEATS_PER_BAR)
    is_loop = num_bars > 0 and abs(beats - _BEATS_PER_BAR * num_bars) <= _LOOP_TOLERANCE_BEATS
    return num_bars if is_loop else None
