"""How much of sound codecs keep: held-out stems, held-out mixes and recordings, beside references.

    .venv/bin/python -m benchmarks.codec_quality CORPUS CODEC [CODEC ...] [--clips FOLDER] [--items N] [--classifier C]

With the classifier of instruments that `stemgen evaluate` leaves in its folder, the table also says how many held-out
stems are still heard as their instrument. References: half the sample rate with 16 bits, MP3 at 32 and 64 kbit/s
(ffmpeg), and for a band codec the same codec with its codes left out (levels of bands straight into the decoder) and
true magnitudes with phases of its own. Prints a table in Markdown, and how the codebooks are used.
"""

import argparse
import io
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import torch
from pydub import AudioSegment

from stemgen_core.audio import read_audio, resample, to_mono
from stemgen_core.codec.band_codec import BandCodec, scale, spectrum_of
from stemgen_core.codec.phase import to_waveform
from stemgen_core.codec.token_level import at_token_level
from stemgen_core.codec.waveform_codec import WaveformCodec, load_waveform_codec
from stemgen_core.corpus.storage import Corpus
from stemgen_core.evaluation.classifier import StemClassifier
from stemgen_core.evaluation.codec import codebook_use, evaluate
from stemgen_core.types import Waveform

SEED, ITEM_S = 11, 8
RoundTrip = Callable[[torch.Tensor], torch.Tensor]  # float32 [1, L] to the same


@dataclass(frozen=True)
class Sound:
    """What goes through the codecs: float32 [1, L], and the instrument that it is, if it is one."""

    samples: torch.Tensor
    instrument: str | None = None


def corpus_items(corpus: Corpus, num_items: int, *, is_mix: bool) -> Iterator[Sound]:
    """Yield windows of held-out pieces: single stems that play, or whole mixes."""
    rng = np.random.default_rng(SEED)
    pieces = corpus.pieces("heldout")
    length = ITEM_S * corpus.sample_rate_hz
    num_found = 0
    while num_found < num_items:
        piece = pieces[int(rng.integers(len(pieces)))]
        audio = piece.audio  # int16 [S, L]
        start = int(rng.integers(max(1, audio.shape[1] - length)))
        window = audio[:, start : start + length].astype(np.float32) / 32_768
        stem = None if is_mix else int(rng.integers(len(window)))
        sound = window.sum(0) if stem is None else window[stem]
        if len(sound) == length and np.sqrt(np.square(sound).mean()) > 0.003:
            num_found += 1
            instrument = None if stem is None else piece.piece.stems[stem].instrument
            yield Sound(at_token_level(torch.from_numpy(sound)[None], corpus.sample_rate_hz), instrument)


def clips(folder: Path, rate_hz: int) -> Iterator[Sound]:
    """Yield recordings."""
    for path in sorted(folder.glob("*.wav")):
        yield Sound(at_token_level(resample(to_mono(read_audio(path)), rate_hz).samples, rate_hz))


def half_rate(samples: torch.Tensor, rate_hz: int) -> torch.Tensor:
    """Resample to half the rate with 16 bits and back."""
    half = resample(Waveform(samples, rate_hz), rate_hz // 2)
    coarse = Waveform((half.samples.clamp(-1, 1) * 32_767).round() / 32_767, rate_hz // 2)
    return resample(coarse, rate_hz, num_audio_samples=samples.shape[1]).samples


def mp3(samples: torch.Tensor, rate_hz: int, kbit_s: int) -> torch.Tensor:
    """Encode and decode as MP3; its delay is taken out by the best alignment."""
    pcm = (samples[0].clamp(-1, 1) * 32_767).round().to(torch.int16).numpy()
    packed = io.BytesIO()
    AudioSegment(data=pcm.tobytes(), sample_width=2, frame_rate=rate_hz, channels=1).export(
        packed, format="mp3", bitrate=f"{kbit_s}k"
    )
    packed.seek(0)
    decoded = np.array(AudioSegment.from_file(packed, format="mp3").get_array_of_samples(), np.float32) / 32_767
    original = samples[0].numpy()
    size = len(original) + len(decoded)
    correlation = np.fft.irfft(np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(original, size)), size)
    delay = int(correlation[:5000].argmax())
    aligned = decoded[delay : delay + len(original)]
    return torch.from_numpy(np.pad(aligned, (0, len(original) - len(aligned))))[None]


def round_trips(codecs: dict[str, WaveformCodec], rate_hz: int) -> dict[str, RoundTrip]:
    """Return every codec and reference by name."""
    trips: dict[str, RoundTrip] = {
        "nothing done to it": lambda samples: samples,
        "16 bits at half the rate": lambda samples: half_rate(samples, rate_hz),
        "MP3, 64 kbit/s": lambda samples: mp3(samples, rate_hz, 64),
        "MP3, 32 kbit/s": lambda samples: mp3(samples, rate_hz, 32),
    }
    for name, codec in codecs.items():
        if isinstance(codec, BandCodec):
            trips["true magnitudes, own phases"] = lambda samples, codec=codec: own_phases(samples, codec)
            trips[f"{name}, without quantising"] = lambda samples, codec=codec: unquantised(samples, codec)
        trips[name] = lambda samples, codec=codec: codec.decode(codec.encode(samples[None]))[0]
    return trips


def own_phases(samples: torch.Tensor, codec: BandCodec) -> torch.Tensor:
    """Keep the magnitudes of a sound and forget its phases."""
    hop_length = codec.config.hop_length
    padded = torch.nn.functional.pad(samples, (0, -samples.shape[1] % hop_length))
    magnitude = spectrum_of(padded[None], hop_length)
    whole = torch.cat([magnitude, magnitude[:, :, -1:]], 2)
    return to_waveform(whole, hop_length=hop_length // 2, num_rounds=codec.config.num_rounds)


@torch.no_grad()
def unquantised(samples: torch.Tensor, codec: BandCodec) -> torch.Tensor:
    """Decode the levels of bands as they are."""
    return codec.decode_levels(scale(codec.analysis(samples[None])))[0]


def heard_share(
    classifier: StemClassifier | None, items: list[Sound], decoded: list[torch.Tensor], rate_hz: int
) -> str:
    """Return which share of the stems that the classifier knows it hears as what they are."""
    if classifier is None:
        return "-"
    hits = [
        classifier.hear(Waveform(sound, rate_hz)) == item.instrument
        for item, sound in zip(items, decoded, strict=True)
        if item.instrument in classifier.labels
    ]
    return f"{np.mean(hits):.2f} of {len(hits)}" if hits else "-"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("codecs", type=Path, nargs="+", metavar="CODEC")
    parser.add_argument("--clips", type=Path, help="a folder of WAV recordings")
    parser.add_argument("--items", type=int, default=40, metavar="N", help="windows of each kind")
    parser.add_argument("--classifier", type=Path, metavar="FILE", help="of instruments, from `stemgen evaluate`")
    parsed = parser.parse_args()
    classifier = None if parsed.classifier is None else StemClassifier.load(parsed.classifier)

    corpus = Corpus.open(parsed.corpus)
    rate_hz = corpus.sample_rate_hz
    codecs = {path.name: load_waveform_codec(path) for path in parsed.codecs}
    sounds = {
        "held-out stems": list(corpus_items(corpus, parsed.items, is_mix=False)),
        "held-out mixes": list(corpus_items(corpus, parsed.items, is_mix=True)),
    }
    if parsed.clips is not None:
        sounds["recordings"] = list(clips(parsed.clips, rate_hz))
    measures = "log-spectral distance, dB | mel distance, dB | SI-SDR, dB | heard as its instrument | seconds per 10 s"
    print(f"| sounds | codec | {measures} |\n|---|---|---|---|---|---|---|")
    for kind, items in sounds.items():
        for name, trip in round_trips(codecs, rate_hz).items():
            scores, outputs, seconds = [], [], 0.0
            for item in items:
                started = time.perf_counter()
                outputs.append(trip(item.samples)[:, : item.samples.shape[1]])
                seconds += time.perf_counter() - started
                scores.append(evaluate(item.samples[0].numpy(), outputs[-1][0].numpy(), rate_hz))
            distance, mel, si_sdr = (float(np.mean([score[measure] for score in scores])) for measure in scores[0])
            heard = heard_share(classifier, items, outputs, rate_hz)
            per_10_s = 10 * seconds / sum(item.samples.shape[1] / rate_hz for item in items)
            print(
                f"| {kind} | {name} | {distance:.2f} | {mel:.2f} | {si_sdr:.1f} | {heard} | {per_10_s:.2f} |",
                flush=True,
            )
    everything = [item.samples for items in sounds.values() for item in items]
    for name, codec in codecs.items():
        codes = torch.cat([codec.encode(samples[None])[0] for samples in everything], 1).numpy()
        shares, perplexities = codebook_use(codes, codec.spec.codebook_size)
        used = ", ".join(
            f"{share:.0%} ({perplexity:.0f})" for share, perplexity in zip(shares, perplexities, strict=True)
        )
        print(f"\n{name}: share of entries used per level (perplexity): {used}, over {codes.shape[1]} frames")


if __name__ == "__main__":
    main()
