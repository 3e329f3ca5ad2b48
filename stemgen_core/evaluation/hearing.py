"""What is heard of one waveform, analysed once for all the pairs it takes part in."""

from dataclasses import dataclass

from stemgen_core.analysis.key import Chroma, chroma
from stemgen_core.analysis.level import LevelReport, measure_level
from stemgen_core.analysis.onset import OnsetEnvelope, onset_envelope
from stemgen_core.types import Waveform


@dataclass(frozen=True, slots=True)
class Heard:
    """The analysis of one waveform.

    Attributes:
        onsets: when sounds begin.
        pitches: pitch classes over time.
        level: how loud it is.
    """

    onsets: OnsetEnvelope
    pitches: Chroma
    level: LevelReport


def hear(waveform: Waveform) -> Heard:
    """Analyse a waveform.

    Raises:
        AudioFormatError: if there is no sample or a sample is not a finite number.
    """
    return Heard(onset_envelope(waveform), chroma(waveform), measure_level(waveform))
