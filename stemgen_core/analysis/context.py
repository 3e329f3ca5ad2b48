"""What the studio shows about audio that someone wants to play along with: tempo, beats, key, metre, bars."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy.signal
import torch

from stemgen_core.analysis.key import chroma, estimate_key
from stemgen_core.analysis.level import measure_level
from stemgen_core.analysis.metre import MetreEstimate, estimate_metre
from stemgen_core.analysis.onset import onset_envelope, pick_onsets
from stemgen_core.analysis.spectrum import analysis_samples
from stemgen_core.analysis.tempo import estimate_tempo
from stemgen_core.types import Waveform

_USUAL_BEATS_PER_BAR = 4
_LOOP_TOLERANCE_BEATS = 0.2
_CONFIDENT_TEMPO = 0.2
_MIN_ONSETS = 4
_LOW_HZ = 150.0  # kick drums and basses


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
        beats_per_bar: 4 or 3; None without tempo or in less than 8 beats.
        metre_confidence: 0..1.
        first_downbeat_s: the first beat that begins a bar, seconds; None as above.
        downbeat_confidence: 0..1.
        num_bars: whole bars that the audio seems to be cut to, of 4 beats where the metre is not known; None where it
            isn't a loop.
        active_rms_dbfs: level while it sounds, dB re full scale.
        is_silent: nothing is audible.
    """

    duration_s: float
    tempo_bpm: float | None
    tempo_confidence: float
    beats_s: tuple[float, ...]
    key: str | None
    key_confidence: float
    beats_per_bar: int | None
    metre_confidence: float
    first_downbeat_s: float | None
    downbeat_confidence: float
    num_bars: int | None
    active_rms_dbfs: float
    is_silent: bool

    def to_json(self) -> dict[str, Any]:
        """Return the analysis as JSON values."""
        return {**asdict(self), "beats_s": [round(time_s, 4) for time_s in self.beats_s]}


def analyse_context(waveform: Waveform) -> ContextAnalysis:
    """Hear tempo, beats, key, metre and bars of audio.

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
    pitches = chroma(waveform)
    key = None if level.is_silent else estimate_key(pitches)
    metre = None
    if beats_s:
        low = onset_envelope(_low_part(waveform))
        metre = estimate_metre(np.array(beats_s), waveform.duration_s, envelope, low, pitches)
    return ContextAnalysis(
        duration_s=waveform.duration_s,
        tempo_bpm=bpm,
        tempo_confidence=confidence,
        beats_s=beats_s,
        key=None if key is None else key.label,
        key_confidence=0.0 if key is None else key.confidence,
        beats_per_bar=None if metre is None else metre.beats_per_bar,
        metre_confidence=0.0 if metre is None else metre.confidence,
        first_downbeat_s=None if metre is None else metre.first_downbeat_s,
        downbeat_confidence=0.0 if metre is None else metre.downbeat_confidence,
        num_bars=_whole_bars(waveform.duration_s, bpm, confidence, metre),
        active_rms_dbfs=level.active_rms_dbfs,
        is_silent=level.is_silent,
    )


def _low_part(waveform: Waveform) -> Waveform:
    """Return what lies below `_LOW_HZ`, mono."""
    samples, rate_hz = analysis_samples(waveform)
    sections = scipy.signal.butter(4, _LOW_HZ, "lowpass", fs=rate_hz, output="sos")
    low = scipy.signal.sosfiltfilt(sections, samples) if len(samples) > 64 else samples
    return Waveform(torch.from_numpy(np.ascontiguousarray(low, np.float32))[None], round(rate_hz))


def _whole_bars(duration_s: float, bpm: float | None, confidence: float, metre: MetreEstimate | None) -> int | None:
    """Return the number of bars where the length is a whole number of them, as in a loop."""
    if bpm is None or confidence < _CONFIDENT_TEMPO:
        return None
    beats_per_bar = _USUAL_BEATS_PER_BAR if metre is None else metre.beats_per_bar
    beats = duration_s * bpm / 60
    num_bars = round(beats / beats_per_bar)
    is_loop = num_bars > 0 and abs(beats - beats_per_bar * num_bars) <= _LOOP_TOLERANCE_BEATS
    return num_bars if is_loop else None
