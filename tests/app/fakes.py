"""Stand-ins for the model; each says in its name what it does."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import torch

from app.sounds import SoundFiles, read_kept
from stemgen_core.errors import InvalidRequestError
from stemgen_core.generator import GenerationRequest, GenerationResult
from stemgen_core.types import Waveform
from tests.generators import GOOD_FIT, POOR_FIT, Caller, EchoGenerator, FakeGenerator


@dataclass
class GatedGenerator(EchoGenerator):
    """Finishes a variation only when `gate` lets one through; says in `entered` that it waits; obeys a stop."""

    gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def play(self, context: Waveform, request: GenerationRequest, caller: Caller) -> GenerationResult:
        self.entered.release()
        while not self.gate.acquire(timeout=0.01):
            caller.stop_if_enough()
        caller.hears(1.0)
        return super().play(context, request, caller)


@dataclass
class FailingGenerator(EchoGenerator):
    """Raises `error` for every variation whose seed is in `bad_seeds`."""

    error: Exception = field(default_factory=lambda: InvalidRequestError("This can't be played."))
    bad_seeds: tuple[int, ...] = (0,)

    def play(self, context: Waveform, request: GenerationRequest, caller: Caller) -> GenerationResult:
        if request.seed in self.bad_seeds:
            raise self.error
        return super().play(context, request, caller)


@dataclass
class NoiseBurstGenerator(FakeGenerator):
    """Plays bursts of noise on the context's beats, different for each seed, a decoding step at a time."""

    model_id: str = "noise-bursts"
    seconds_per_step: float = 0.05
    num_steps: int = 8
    num_running: int = 0
    max_running: int = 0
    steps_done: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def play(self, context: Waveform, request: GenerationRequest, caller: Caller) -> GenerationResult:
        self.num_running += 1
        self.max_running = max(self.max_running, self.num_running)
        began_s = time.monotonic()
        try:
            for step in range(self.num_steps):
                if caller.has_enough:
                    self.stopped.set()
                    caller.stop_if_enough()
                time.sleep(self.seconds_per_step)
                self.steps_done += 1
                caller.hears((step + 1) / self.num_steps)
        finally:
            self.num_running -= 1
        fit = POOR_FIT if request.seed % 2 else GOOD_FIT
        stem = noise_bursts(context.num_audio_samples, context.sample_rate_hz, request.seed)
        return GenerationResult(stem, None, self.model_id, time.monotonic() - began_s, fit)


def noise_bursts(num_audio_samples: int, sample_rate_hz: int, seed: int, *, beat_s: float = 0.5) -> Waveform:
    """Return decaying white noise on every beat: noise has one sharp peak in a cross-correlation, tones have many."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(num_audio_samples)
    beat = np.arange(num_audio_samples) / sample_rate_hz % beat_s
    samples = 0.2 * noise * np.exp(-6 * beat / beat_s)
    return Waveform(torch.from_numpy(samples.astype(np.float32))[None], sample_rate_hz)


def write_clip(path: Path, *, seconds: float = 2.0, sample_rate_hz: int = 44_100, seed: int = 1) -> Path:
    """Write a loop of noise bursts as a file that a user could bring."""
    clip = noise_bursts(int(seconds * sample_rate_hz), sample_rate_hz, seed)
    soundfile.write(path, clip.samples.T.numpy(), sample_rate_hz)
    return path


def write_plain(path: Path, waveform: Waveform) -> None:
    """Write a 24-bit FLAC file."""
    soundfile.write(path, waveform.samples.T.numpy(), waveform.sample_rate_hz, format="FLAC", subtype="PCM_24")


def sum_plain(waveforms: Sequence[Waveform]) -> Waveform:
    """Add mono waveforms."""
    return Waveform(torch.stack([waveform.samples for waveform in waveforms]).sum(0), waveforms[0].sample_rate_hz)


PLAIN_FILES = SoundFiles(read_untrusted=read_kept, read=read_kept, write=write_plain, mix=sum_plain)
