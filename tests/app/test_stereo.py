"""A model that plays in stereo at 48 kHz, in a studio: what is heard, mixed and taken away keeps both sides."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import soundfile
import torch

from app.exporting.desk import ExportDesk
from app.orders import StemOrder
from stemgen_core.generator import GenerationRequest, GenerationResult
from stemgen_core.types import Waveform
from tests.app.conftest import OpenStudio
from tests.app.fakes import NoiseBurstGenerator, noise_bursts, write_clip
from tests.app.waiting import OWNER, finished
from tests.generators import GOOD_FIT, Caller


@dataclass
class LeftSideGenerator(NoiseBurstGenerator):
    """Plays on the left alone."""

    def play(self, context: Waveform, request: GenerationRequest, caller: Caller) -> GenerationResult:
        left = noise_bursts(context.num_audio_samples, context.sample_rate_hz, request.seed).samples
        both = Waveform(torch.cat([left, torch.zeros_like(left)]), context.sample_rate_hz)
        return GenerationResult(both, None, self.model_id, 0.01, GOOD_FIT)


def test_a_stem_of_two_sides_on_a_mono_mix_stays_on_its_side(open_studio: OpenStudio, tmp_path: Path) -> None:
    rate_hz = 48_000
    clip = write_clip(tmp_path / "loop.wav", sample_rate_hz=rate_hz)
    with open_studio(LeftSideGenerator()) as studio:
        context = studio.start_from_file(OWNER, clip, "Loop")
        turn = finished(studio, studio.request_stem(OWNER, context.id, StemOrder("bass", 1, "balanced", 0)).id)
        node = studio.pick(OWNER, turn.variations[0].id)
        desk = ExportDesk(studio.store, studio.sounds)
        exported = desk.export(OWNER, node.id, "package", "wav")
        with exported.content, zipfile.ZipFile(io.BytesIO(exported.content.read())) as archive:
            sounds = {
                name.rsplit("/", 1)[1]: soundfile.read(io.BytesIO(archive.read(name)), always_2d=True)
                for name in archive.namelist()
                if name.endswith(".wav")
            }
        with desk.export(OWNER, node.id, "mix", "wav").content as content:
            mix, mix_rate_hz = soundfile.read(io.BytesIO(content.read()), always_2d=True)

    assert node.audio is not None
    assert (node.audio.num_channels, node.audio.sample_rate_hz) == (2, rate_hz)
    assert {rate for _, rate in sounds.values()} == {mix_rate_hz} == {rate_hz}
    stem = next(samples for name, (samples, _) in sounds.items() if "bass" in name.lower())
    assert abs(stem[:, 0]).max() > 0.05
    assert abs(stem[:, 1]).max() == 0
    assert abs(mix[:, 0] - mix[:, 1]).max() > 0.05
