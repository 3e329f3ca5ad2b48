"""Sounds of the synthesiser by instrument; one of each kind is kept for held-out pieces."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stemgen_core.sound.electronic.drum_machine import Kit
from stemgen_core.sound.electronic.envelope import Envelope
from stemgen_core.sound.electronic.voices import FmPreset, Preset, SubtractivePreset

_PLUCK = Envelope(0.002, 0.18, 0.15, 0.06)
_ORGAN = Envelope(0.006, 0.1, 0.9, 0.03)
_LEAD = Envelope(0.006, 0.3, 0.75, 0.06)
_PAD = Envelope(0.35, 1.0, 0.85, 0.35)
_BELL = Envelope(0.001, 0.9, 0.0, 0.5)
_KEYS = Envelope(0.003, 0.9, 0.15, 0.08)

TRAINING_PRESETS: dict[str, tuple[Preset, ...]] = {
    "bass": (
        SubtractivePreset("round bass", "square", Envelope(0.003, 0.3, 0.7, 0.04), 1.2, 1.5, 0.12, 0.9, sub_level=0.5),
        SubtractivePreset("saw bass", "saw", Envelope(0.003, 0.4, 0.7, 0.04), 1.5, 2.5, 0.15, 1.5, 2, 12),
        SubtractivePreset("acid bass", "saw", Envelope(0.002, 0.25, 0.5, 0.03), 0.8, 3.6, 0.11, 5.0),
        SubtractivePreset("reese", "saw", Envelope(0.01, 0.5, 0.9, 0.06), 2.0, 0.6, 0.4, 0.8, 3, 38, sub_level=0.4),
        SubtractivePreset("pick bass", "pulse", Envelope(0.002, 0.16, 0.3, 0.03), 1.5, 3.0, 0.07, 1.2),
        FmPreset("sub", Envelope(0.004, 0.9, 0.6, 0.06), 1.0, 0.5, 0.08),
        FmPreset("hollow bass", Envelope(0.003, 0.4, 0.6, 0.04), 2.0, 1.8, 0.12, 0.2),
    ),
    "synth_lead": (
        SubtractivePreset("saw lead", "saw", _LEAD, 3.0, 1.5, 0.3, 1.2, 2, 14, vibrato_cents=12),
        SubtractivePreset("square lead", "square", _LEAD, 3.5, 1.0, 0.3, 0.8, vibrato_cents=14),
        SubtractivePreset("super saw", "saw", Envelope(0.01, 0.4, 0.8, 0.12), 3.5, 1.5, 0.5, 0.7, 5, 30),
        SubtractivePreset("pluck", "saw", _PLUCK, 1.5, 3.5, 0.09, 1.8, 2, 10),
        SubtractivePreset("pulse pluck", "pulse", _PLUCK, 2.0, 2.5, 0.08, 1.0),
        SubtractivePreset(
            "soft lead", "triangle", Envelope(0.02, 0.4, 0.85, 0.08), 3.5, 0.5, 0.4, 0.7, vibrato_cents=16
        ),
        FmPreset("glass lead", Envelope(0.003, 0.5, 0.5, 0.1), 3.0, 1.2, 0.25, 0.3),
    ),
    "synth_pad": (
        SubtractivePreset("warm pad", "saw", _PAD, 1.8, 1.0, 1.2, 0.8, 3, 18),
        SubtractivePreset("wide pad", "saw", _PAD, 2.8, 0.6, 1.5, 0.7, 4, 28),
        SubtractivePreset("hollow pad", "square", _PAD, 2.0, 0.8, 1.0, 0.8, 2, 12),
        SubtractivePreset("sweep pad", "saw", Envelope(0.2, 1.5, 0.8, 0.4), 0.8, 3.0, 0.9, 2.2, 3, 16),
        SubtractivePreset("stab", "saw", Envelope(0.003, 0.2, 0.3, 0.08), 1.8, 2.5, 0.12, 1.4, 3, 20),
        FmPreset("glass pad", Envelope(0.4, 2.0, 0.7, 0.4), 2.0, 0.9, 1.5, 0.5, 3.0, 0.2),
    ),
    "piano": (
        FmPreset("tine keys", _KEYS, 14.0, 0.45, 0.12, 0.05, 1.0, 0.1),
        FmPreset("soft keys", _KEYS, 1.0, 0.9, 0.5, 0.2),
        FmPreset("bright keys", Envelope(0.002, 0.7, 0.1, 0.07), 3.0, 1.3, 0.25, 0.1),
    ),
    "mallets": (
        FmPreset("bell", _BELL, 3.5, 1.6, 0.5, 0.1),
        FmPreset("music box", Envelope(0.001, 0.4, 0.0, 0.3), 7.0, 0.5, 0.1, 0.0, 2.76, 0.3),
        FmPreset("soft mallet", Envelope(0.002, 0.35, 0.0, 0.2), 4.0, 0.5, 0.06, 0.0),
    ),
    "organ": (
        FmPreset("hollow organ", _ORGAN, 1.0, 0.8, 5.0, 0.9, 2.0, 0.4),
        SubtractivePreset("combo organ", "square", _ORGAN, 3.5, 0.0, 1.0, 0.7, 2, 6),
    ),
    "brass": (
        SubtractivePreset("synth brass", "saw", Envelope(0.03, 0.4, 0.75, 0.08), 1.2, 2.4, 0.35, 1.0, 3, 16),
        SubtractivePreset("bright brass", "saw", Envelope(0.015, 0.3, 0.7, 0.06), 2.0, 2.0, 0.2, 0.9, 2, 10),
    ),
    "ensemble": (
        SubtractivePreset("string machine", "saw", Envelope(0.12, 0.8, 0.9, 0.2), 3.0, 0.3, 1.0, 0.7, 4, 22),
        SubtractivePreset("dark strings", "saw", Envelope(0.18, 0.8, 0.9, 0.25), 2.0, 0.4, 1.0, 0.7, 3, 16),
    ),
}

HELDOUT_PRESETS: dict[str, tuple[Preset, ...]] = {
    "bass": (
        SubtractivePreset(
            "rubber bass", "triangle", Envelope(0.004, 0.3, 0.6, 0.05), 2.5, 2.0, 0.1, 2.0, sub_level=0.2
        ),
        FmPreset("growl bass", Envelope(0.004, 0.4, 0.7, 0.04), 1.0, 2.6, 0.3, 0.3),
    ),
    "synth_lead": (
        SubtractivePreset("reed lead", "pulse", _LEAD, 2.5, 1.2, 0.4, 2.0, 2, 18, vibrato_cents=10),
        FmPreset("chime pluck", Envelope(0.002, 0.25, 0.1, 0.1), 5.0, 1.0, 0.12, 0.1),
    ),
    "synth_pad": (SubtractivePreset("reed pad", "pulse", _PAD, 2.2, 1.2, 0.8, 1.2, 3, 14),),
    "piano": (FmPreset("wood keys", _KEYS, 5.0, 0.8, 0.15, 0.1, 2.0, 0.15),),
    "mallets": (FmPreset("glass bell", _BELL, 2.4, 1.2, 0.4, 0.2, 5.1, 0.2),),
    "organ": (FmPreset("pipe organ", _ORGAN, 2.0, 0.5, 5.0, 1.0, 4.0, 0.25),),
    "brass": (SubtractivePreset("pulse brass", "pulse", Envelope(0.025, 0.4, 0.8, 0.07), 1.5, 2.2, 0.3, 1.2, 2, 14),),
    "ensemble": (
        SubtractivePreset("pulse strings", "pulse", Envelope(0.15, 0.8, 0.9, 0.2), 2.6, 0.3, 1.0, 0.8, 4, 20),
    ),
}

TRAINING_KITS: dict[str, Kit] = {
    "deep": Kit(47, 2.0, 0.32, 185, 0.09, 6_500, 0.05, 0.32, 0.0),
    "club": Kit(52, 2.4, 0.17, 200, 0.10, 7_500, 0.045, 0.26, 0.15),
    "hard": Kit(50, 3.2, 0.20, 210, 0.08, 8_000, 0.04, 0.22, 0.5),
    "minimal": Kit(55, 1.6, 0.11, 240, 0.05, 9_000, 0.025, 0.15, 0.05),
    "dusty": Kit(60, 1.4, 0.13, 190, 0.12, 5_000, 0.05, 0.2, 0.35, lowpass_hz=6_000),
    "gated": Kit(54, 2.0, 0.15, 175, 0.22, 7_000, 0.05, 0.28, 0.2),
    "street": Kit(41, 2.6, 0.5, 220, 0.11, 7_800, 0.03, 0.3, 0.25),
}
HELDOUT_KITS: dict[str, Kit] = {
    "tin": Kit(58, 2.8, 0.14, 260, 0.07, 8_600, 0.035, 0.24, 0.1),
    "tape": Kit(49, 1.8, 0.24, 170, 0.14, 5_800, 0.06, 0.3, 0.45, lowpass_hz=8_000),
}


def draw_preset(instrument: str, rng: np.random.Generator, *, is_heldout: bool) -> Preset:
    """Return one of an instrument's sounds, each time slightly different.

    Args:
        instrument: a key of `TRAINING_PRESETS`.
        rng: all chance comes from it.
        is_heldout: take one that training never hears.
    """
    pool = (HELDOUT_PRESETS if is_heldout else TRAINING_PRESETS)[instrument]
    preset = pool[int(rng.integers(len(pool)))]
    loudness = replace(
        preset.loudness,
        attack_s=preset.loudness.attack_s * rng.uniform(0.7, 1.4),
        decay_s=preset.loudness.decay_s * rng.uniform(0.7, 1.4),
        release_s=preset.loudness.release_s * rng.uniform(0.7, 1.4),
    )
    if isinstance(preset, FmPreset):
        return replace(preset, loudness=loudness, index=preset.index * rng.uniform(0.7, 1.4))
    return replace(
        preset,
        loudness=loudness,
        cutoff_octaves=preset.cutoff_octaves + rng.uniform(-0.5, 0.7),
        envelope_octaves=preset.envelope_octaves * rng.uniform(0.7, 1.3),
        detune_cents=preset.detune_cents * rng.uniform(0.6, 1.5),
        # few steps, because filters are kept
        resonance=round(preset.resonance * rng.uniform(0.8, 1.25) * 2) / 2 or 0.5,
    )


def draw_kit(rng: np.random.Generator, *, is_heldout: bool, names: Sequence[str] | None = None) -> Kit:
    """Return a drum kit, each time slightly different.

    Args:
        rng: all chance comes from it.
        is_heldout: take one that training never hears.
        names: the kits to choose among; None: all.
    """
    pool = HELDOUT_KITS if is_heldout else TRAINING_KITS
    kits = tuple(pool[name] for name in names or pool)
    kit = kits[int(rng.integers(len(kits)))]
    return replace(
        kit,
        kick_hz=kit.kick_hz * rng.uniform(0.92, 1.1),
        kick_decay_s=kit.kick_decay_s * rng.uniform(0.8, 1.3),
        snare_hz=kit.snare_hz * rng.uniform(0.9, 1.12),
        snare_decay_s=kit.snare_decay_s * rng.uniform(0.8, 1.3),
        hat_hz=kit.hat_hz * rng.uniform(0.88, 1.15),
        drive=kit.drive * rng.uniform(0.6, 1.4),
    )
