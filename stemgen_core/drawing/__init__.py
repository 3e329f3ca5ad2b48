"""Pictures and pages to judge music by: piano rolls, spectrograms, static HTML that needs no network."""

from stemgen_core.drawing.line_chart import line_chart_svg
from stemgen_core.drawing.page import audio_player, page, write_listenable
from stemgen_core.drawing.piano_roll import ChordLabel, RollLane, piano_roll_svg
from stemgen_core.drawing.spectrogram import spectrogram_png

__all__ = [
    "ChordLabel",
    "RollLane",
    "audio_player",
    "line_chart_svg",
    "page",
    "piano_roll_svg",
    "spectrogram_png",
    "write_listenable",
]
