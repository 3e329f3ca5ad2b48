"""`stemgen train tokens`: a corpus as codes of an audio codec, so that the language model needs no audio.

Each piece is rendered several times, with other fonts, effects and levels each time; of each render the stems and a few
mixes of random subsets are encoded once. A token corpus is a corpus folder that holds codes where the audio was:

    manifest.json            that of the corpus, and what the codes are
    pieces/000123.json       the piece; written last
    pieces/000123-r0.npz     of render 0: stems int16 [S, K, T], mixes int16 [M, K, T] or float16 [M, F, T] bands,
                             heard bool [M, S] (which stems a mix holds), level float16 [S, T] (RMS per frame)

Stems and mixes are brought to one level before they are encoded: how loud something is belongs to the mix that it joins
and is fitted when the stem is decoded (decision 0056).
"""

import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from stemgen_core.codec.bands_for_sound import extract_for_sound
from stemgen_core.codec.context_features import TUNINGS_CENTS
from stemgen_core.codec.token_level import TOKEN_LEVEL_DB
from stemgen_core.codec.waveform_codec import WaveformCodec
from stemgen_core.corpus.render import render_piece
from stemgen_core.corpus.roughening import roughen_channels
from stemgen_core.corpus.sources.stem_folder import STEMS
from stemgen_core.corpus.storage import Corpus, CorpusPiece
from stemgen_core.errors import InvalidRequestError
from stemgen_core.sound.level import scale_to_level
from stemgen_core.training.examples import MAX_GAIN_DB
from stemgen_core.training.families import AudioFamily
from stemgen_core.types import Hearing, SoundFormat

RENDER_SEED_STEP = 1_000_003 * 1_009  # further than any two pieces of a corpus are apart
_MANIFEST = "manifest.json"
_ENCODED_AT_ONCE = 16  # stems or mixes


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """How a corpus becomes codes.

    Attributes:
        num_renders: of each piece; the first is the corpus's own audio.
        num_mixes: contexts of each render.
        seed: of the choice of stems, gains and roughness.
        hearing: what is written of mixes: codes, or the bands of `codec/bands_for_sound` (decision 0108).
    """

    num_renders: int = 5
    num_mixes: int = 4
    seed: int = 0
    hearing: Hearing = "codes"


@dataclass(frozen=True, slots=True)
class _Task:
    entry: CorpusPiece
    number: int
    hop_length: int
    settings: TokenSettings
    sound: SoundFormat


@dataclass(frozen=True, slots=True)
class _Render:
    """One render of a piece, cut to whole frames, before it is encoded; int16, because it passes between processes."""

    entry: CorpusPiece
    number: int
    stems: np.ndarray  # int16 [S, C, L], all at one level
    mixes: np.ndarray  # int16 [M, C, L], or float16 [M, F, T] where bands are heard
    heard: np.ndarray  # bool [M, S]
    level: np.ndarray  # float16 [S, T], as rendered


def tokenise_corpus(
    pieces: Iterator[CorpusPiece],
    corpus: Corpus,
    codec: WaveformCodec,
    out_folder: Path,
    settings: TokenSettings,
    *,
    device: str = "cpu",
    num_processes: int = 1,
    report_progress: Callable[[int], None] | None = None,
) -> Corpus:
    """Write the codes of pieces, leaving out those that are there already.

    Args:
        pieces: may still be rendered while they are taken.
        corpus: they belong to.
        codec: trained.
        out_folder: of the token corpus.
        settings: see there.
        device: of the codec.
        num_processes: that render and mix side by side.
        report_progress: called with the number of pieces done.

    Raises:
        InvalidRequestError: if the folder holds something else, or the corpus has another rate than the codec, or
            recordings without notes are to be rendered more than once, or the codec's frames are not those of bands
            that are to be heard.
    """
    AudioFamily(codec, settings.hearing)  # refuses a codec that bands don't go with
    if settings.num_renders > 1 and any(source["kind"] == STEMS for source in corpus.manifest.get("sources", ())):
        raise InvalidRequestError(
            f"{corpus.folder} holds recordings, which can't be rendered again. Write its codes with --renders 1."
        )
    sound = SoundFormat(codec.spec.sample_rate_hz, codec.num_channels)
    if corpus.sound != sound:
        raise InvalidRequestError(f"The codec is for {sound}, the corpus is {corpus.sound}.")
    tokens = {"spec": asdict(codec.spec), **asdict(settings)}
    _write_manifest(out_folder, {**corpus.manifest, "tokens": tokens})
    codec.to(device)
    wanted = (
        _Task(entry, number, codec.spec.hop_length, settings, sound)
        for entry in pieces
        if not (out_folder / "pieces" / f"{entry.index:06d}.json").exists()
        for number in range(settings.num_renders)
    )
    num_done = 0
    for render in _rendered(wanted, num_processes):
        _write_render(out_folder, render, codec, device)
        if render.number == settings.num_renders - 1:  # renders come in order, so the piece is whole
            name = f"pieces/{render.entry.index:06d}.json"
            shutil.copyfile(render.entry.folder / name, out_folder / f"{name}.part")
            (out_folder / f"{name}.part").rename(out_folder / name)
            num_done += 1
            if report_progress is not None:
                report_progress(num_done)
    return Corpus.open(out_folder)


def _rendered(wanted: Iterator[_Task], num_processes: int) -> Iterator[_Render]:
    if num_processes == 1:
        yield from map(_render, wanted)
        return
    # `imap` would take all that is wanted at once, and the pieces are still being rendered.
    with multiprocessing.get_context("spawn").Pool(num_processes) as pool:
        waiting = []
        for task in wanted:
            waiting.append(pool.apply_async(_render, (task,)))
            while len(waiting) >= 3 * num_processes or (waiting and waiting[0].ready()):
                yield waiting.pop(0).get()
        for result in waiting:
            yield result.get()


def _render(task: _Task) -> _Render:
    entry, number, settings = task.entry, task.number, task.settings
    if number == 0:
        stems = entry.channels.astype(np.float32) / 32_768  # [S, C, L]
    else:
        piece = replace(entry.piece, seed=entry.piece.seed + number * RENDER_SEED_STEP)
        rendered = render_piece(piece, is_heldout=entry.split == "heldout", sound=task.sound)
        stems = rendered.reshape(len(rendered), task.sound.num_channels, -1)
    num_frames = stems.shape[2] // task.hop_length
    stems = stems[:, :, : num_frames * task.hop_length]
    rng = np.random.default_rng([settings.seed, entry.index, number])
    heard = np.stack([_subset(len(stems), rng) for _ in range(settings.num_mixes)])  # [M, S]
    gains = 10 ** (rng.uniform(-MAX_GAIN_DB, MAX_GAIN_DB, heard.shape) / 20) * heard
    sums = np.tensordot(gains, stems, 1).astype(np.float32)  # [M, C, L]
    rate_hz = task.sound.sample_rate_hz
    mixes = [roughen_channels(mix, rate_hz, rng) for mix in sums]
    blocks = stems.reshape(len(stems), -1, num_frames, task.hop_length)  # [S, C, T, hop]
    level = np.sqrt(np.square(blocks).mean((1, 3))).astype(np.float16)
    if settings.hearing == "bands":
        tunings = rng.choice(TUNINGS_CENTS, len(mixes))
        written = np.stack([_bands(mix, num_frames, cents) for mix, cents in zip(mixes, tunings, strict=True)])
    else:
        written = _levelled(mixes, rate_hz)
    return _Render(entry, number, _levelled(stems, rate_hz), written, heard, level)


def _bands(mix: np.ndarray, num_frames: int, tuning_cents: float) -> np.ndarray:
    """Extract what is heard of a mix, float32 [1, L], as float16 [F, T]."""
    features = extract_for_sound(torch.from_numpy(mix), num_frames, tuning_cents=float(tuning_cents))
    return features[0].numpy().astype(np.float16)


def _levelled(sounds: Iterable[np.ndarray], sample_rate_hz: int) -> np.ndarray:
    """Bring each, float32 [C, L], to the level of tokens, int16 [N, C, L]."""
    rows = [scale_to_level(sound, sample_rate_hz, TOKEN_LEVEL_DB) for sound in sounds]
    return np.round(np.clip(np.stack(rows), -1, 1) * 32_767).astype(np.int16)


def _subset(num_stems: int, rng: np.random.Generator) -> np.ndarray:
    """Choose 1 to S - 1 stems, bool [S]; the only stem of a piece of one."""
    chosen = np.zeros(num_stems, bool)
    num_heard = int(rng.integers(1, max(2, num_stems)))
    chosen[rng.permutation(num_stems)[:num_heard]] = True
    return chosen


def _write_render(folder: Path, render: _Render, codec: WaveformCodec, device: str) -> None:
    path = folder / "pieces" / f"{render.entry.index:06d}-r{render.number}.npz"
    with path.with_suffix(".part").open("wb") as file:
        np.savez(
            file,
            stems=_encode(render.stems, codec, device),
            mixes=render.mixes if render.mixes.dtype == np.float16 else _encode(render.mixes, codec, device),
            heard=render.heard,
            level=render.level,
        )
    path.with_suffix(".part").rename(path)


def _encode(sounds: np.ndarray, codec: WaveformCodec, device: str) -> np.ndarray:
    """Encode int16 [N, C, L], int16 [N, K, T]."""
    batches = torch.from_numpy(sounds).split(_ENCODED_AT_ONCE)  # x [n, C, L]
    codes = torch.cat([codec.encode(batch.to(device).float() / 32_767).cpu() for batch in batches])
    return codes.numpy().astype(np.int16)


def _write_manifest(folder: Path, manifest: dict[str, object]) -> None:
    (folder / "pieces").mkdir(parents=True, exist_ok=True)
    path = folder / _MANIFEST
    text = json.dumps(manifest, indent=1)
    if path.exists():
        if json.loads(path.read_text(encoding="utf-8")) != json.loads(text):
            raise InvalidRequestError(
                f"{folder} holds codes of another corpus, codec or settings. Choose another folder."
            )
        return
    path.with_suffix(".part").write_text(text, encoding="utf-8")
    path.with_suffix(".part").rename(path)
