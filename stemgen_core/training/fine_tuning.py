"""`stemgen train lm --from BUNDLE --data FOLDER`: a bundle that goes on learning, from somebody's own stems.

The folder is cut into a corpus inside the run. The scores of the bundle are written down before the first step, so that
at the end the run can say what the training did, to the folder's held-out songs and to what the bundle could before.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stemgen_core.checkpoint import BundleManifest, read_manifest
from stemgen_core.codec import bands_for_sound
from stemgen_core.codec.waveform_codec import load_waveform_codec
from stemgen_core.corpus.sources.source import CORPUS_SOUND
from stemgen_core.corpus.sources.stem_folder import StemFolder
from stemgen_core.corpus.sources.stem_layouts import StemSong
from stemgen_core.corpus.storage import Corpus, synthesize_corpus
from stemgen_core.errors import CheckpointError, InvalidRequestError
from stemgen_core.model.config import SIZES
from stemgen_core.training.families import AudioFamily, ScoreFamily, TrainingFamily
from stemgen_core.training.lm import HeldOut, LmTrainer
from stemgen_core.training.lm_config import LmTrainingConfig
from stemgen_core.types import SoundFormat

CORPUS_FOLDER = "corpus"
# A tenth of the rate that the weights were trained with, and a decay over half of a short run (decision 0086). Scores
# are taken before and after; between, they would take longer than the steps.
SCHEDULE = LmTrainingConfig(
    num_steps=200, learning_rate=2e-4, num_warmup_steps=20, decay_share=0.5, evaluate_every=1_000_000
)
PIECE_S = 12.0
LEAST_WINDOW_SHARE = 1.2  # of the model's window that a piece lasts, so that windows can begin anywhere
MIN_PIECES, MAX_PIECES = 100, 600
TIMES_OVER = 2  # how often each second of the folder is cut on average
OWN, OTHER = "data", "compare"
Scores = dict[str, float]


@dataclass(frozen=True, slots=True)
class FineTuningResult:
    """What a fine-tuning did.

    Attributes:
        before: scores of the bundle, by what it was scored on (`OWN`, and `OTHER` where there is one), then by name.
        after: the same of the new weights.
    """

    before: Mapping[str, Scores]
    after: Mapping[str, Scores]


class FineTuning:
    """One run.

    Args:
        bundle_path: what to begin with.
        corpus: of the folder, as `take_in` makes it.
        run_path: of the run; one that stands there is taken up.
        config: of the run.
        device: of the model.
        compare: a corpus that the bundle was trained on; None leaves it out.

    Raises:
        CheckpointError: if the bundle or a checkpoint is of no use.
        InvalidRequestError: if a corpus has nothing held out, or another rate than the model.
    """

    def __init__(
        self,
        bundle_path: Path,
        corpus: Corpus,
        run_path: Path,
        config: LmTrainingConfig,
        device: str = "cpu",
        *,
        compare: Corpus | None = None,
    ) -> None:
        self.base = read_manifest(bundle_path)
        family = family_of(bundle_path, self.base)
        self.trainer = LmTrainer(family, corpus, run_path, config, device, start_from=bundle_path)
        self._sets: dict[str, HeldOut] = {OWN: self.trainer.held_out_of(corpus)}
        if compare is not None:
            self._sets[OTHER] = self.trainer.held_out_of(compare)

    def run(
        self, *, max_seconds: float | None = None, report: Callable[[int, Scores], None]
    ) -> FineTuningResult | None:
        """Score, train, score again; see `LmTrainer.run`. None if the time was up before the end."""
        folder = self.trainer.folder
        if self.trainer.step == 0:
            for name, scores in self._scores().items():
                folder.log(0, {"set": name, "before": scores})
        if not self.trainer.run(max_seconds=max_seconds, report=report):
            return None
        log = folder.read_log()
        before = {line["set"]: line["before"] for line in log if "before" in line and line["set"] in self._sets}
        after = {line["set"]: line["after"] for line in log if "after" in line and line["set"] in before}
        if after.keys() != before.keys():
            own = next(line for line in reversed(log) if "held_out_loss" in line)  # the trainer's, at its last step
            after = self._scores(own={name: value for name, value in own.items() if name != "step"})
            for name, scores in after.items():
                folder.log(self.trainer.step, {"set": name, "after": scores})
        return FineTuningResult(before, {name: after[name] for name in before})

    def write_bundle(self, folder: Path, facts: Mapping[str, object]) -> BundleManifest:
        """Write the new weights; what the bundle offered is offered still."""
        origin = {"fine_tuned_from": self.base.model_id, "before": dict(self.base.training)}
        return self.trainer.write_bundle(folder, origin | dict(facts), base=self.base)

    def _scores(self, *, own: Scores | None = None) -> dict[str, Scores]:
        """Score the weights as they are, on every set; `own`: scores of the run's own set that are known already."""
        return {
            name: own if name == OWN and own is not None else self.trainer.evaluate(held_out)
            for name, held_out in self._sets.items()
        }


def family_of(bundle_path: Path, manifest: BundleManifest) -> TrainingFamily:
    """Return the family that goes on training a bundle.

    Raises:
        CheckpointError: if its codec can't be opened.
    """
    if manifest.family == ScoreFamily.name:
        return ScoreFamily()
    hears_bands = manifest.config.context_codec == bands_for_sound.NAME
    return AudioFamily(load_waveform_codec(bundle_path), "bands" if hears_bands else "codes")


def schedule_of(manifest: BundleManifest, given: Mapping[str, object]) -> LmTrainingConfig:
    """Return how to train a bundle further: its own size and window, the schedule of this module, what was asked for.

    Raises:
        CheckpointError: if this version has no model of its size.
    """
    shape = (manifest.config.dim, manifest.config.num_layers, manifest.config.num_heads)
    names = [name for name, size in SIZES.items() if (size.dim, size.num_layers, size.num_heads) == shape]
    if not names:
        raise CheckpointError(f"{manifest.model_id} is of a size that this version does not train.")
    config = replace(SCHEDULE, size=names[0], window_frames=manifest.window_frames)
    return replace(config, **given)  # pyright: ignore[reportArgumentType]  # names of fields, checked by `replace`


def take_in(
    data: Path,
    manifest: BundleManifest,
    run_path: Path,
    *,
    sound: SoundFormat = CORPUS_SOUND,
    seed: int = 0,
    num_pieces: int | None = None,
    num_processes: int = 1,
    report_progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    """Cut a folder of stems into a corpus inside the run, or finish doing so.

    Args:
        data: of stems, in a layout that `stems:FOLDER` reads.
        manifest: of the bundle that is to learn from it.
        run_path: of the run.
        sound: the family's format.
        seed: of what is cut.
        num_pieces: how many; None goes by how much there is.
        num_processes: that cut side by side.
        report_progress: called with finished and wanted pieces after each.

    Raises:
        InvalidRequestError: if the folder holds nothing that can be learnt from, or the model writes notes and the
            stems have none; the message names the ways out.
    """
    source = StemFolder(data)
    if manifest.family == ScoreFamily.name:
        _need_notes(data, source.songs)
    window_s = manifest.window_frames / manifest.config.spec.frame_rate_hz
    piece_s = max(PIECE_S, LEAST_WINDOW_SHARE * window_s)
    if num_pieces is None:
        wanted = math.ceil(TIMES_OVER * source.total_s() / piece_s)
        num_pieces = min(MAX_PIECES, max(MIN_PIECES, wanted))
    return synthesize_corpus(
        run_path / CORPUS_FOLDER,
        num_pieces=num_pieces,
        seed=seed,
        duration_s=piece_s,
        num_processes=num_processes,
        sources=(f"stems:{data}",),
        sound=sound,
        report_progress=report_progress,
    )


def _need_notes(data: Path, songs: list[StemSong]) -> None:
    """Refuse stems that can't teach a model of notes: each example needs one stem heard and one written."""
    without = [song.title for song in songs if sum(stem.midi is not None for stem in song.stems) < 2]
    if not without:
        return
    raise InvalidRequestError(
        f"This bundle writes notes, and {len(without)} of {len(songs)} songs in {data} have fewer than two stems with"
        f" notes ({', '.join(without[:3])}{', ...' if len(without) > 3 else ''}). Put MIDI beside the stems as"
        " Slakh2100 does (TRACK/metadata.yaml, TRACK/stems/S00.flac, TRACK/MIDI/S00.mid), leave those songs out, or"
        " take a bundle of the audio family: it learns from sound alone."
    )


def score_lines(result: FineTuningResult, titles: Mapping[str, str]) -> list[str]:
    """Return a table to read: scores before and after, of each set.

    Args:
        result: of a run.
        titles: what each set is called.
    """
    lines = []
    for name, before in result.before.items():
        lines += [titles[name], f"  {'':<28}{'before':>8}{'after':>9}"]
        lines += [f"  {score:<28}{value:>8.3f}{result.after[name][score]:>9.3f}" for score, value in before.items()]
    return lines
