"""What runs on the machine from a leg's first second to its last: render, train, decay, write; all by one clock.

A leg's work folder:

    clock.json, status.json, driver.log
    corpus/              grows from the first second
    codec/  tokens/      audio family
    lm/  lm-decay/       run folders
    out/                 what is worth bringing home, whole at any moment

Every stage takes up what it finds, so that a driver that was killed can be started again.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from stemgen_core.checkpoint import save_bundle
from stemgen_core.codec.waveform_codec import load_waveform_codec
from stemgen_core.corpus.storage import Corpus, CorpusPiece
from stemgen_core.legs.clock import LegClock
from stemgen_core.legs.plan import LegPlan
from stemgen_core.training.audio_windows import CorpusWindows
from stemgen_core.training.codec import CODEC_TRAINING_PRESETS, CodecTrainingResult, train_codec_on
from stemgen_core.training.encodec_run import EncodecTrainingConfig
from stemgen_core.training.families import ScoreFamily, TrainingFamily, audio_config
from stemgen_core.training.growing import GrowingPieces, wait_for_pieces
from stemgen_core.training.lm import LmTrainer
from stemgen_core.training.lm_config import LmTrainingConfig
from stemgen_core.training.run_folder import LOG_FILE
from stemgen_core.training.speed import measure_speed, peak_flops_per_s
from stemgen_core.training.token_batches import TokenFamily
from stemgen_core.training.tokens import TokenSettings, tokenise_corpus

BUNDLE, BEFORE_DECAY, CODEC, LOGS, FACTS = "bundle", "before-decay", "codec", "logs", "leg.json"
FULL_STEPS = 10_000_000  # of a schedule whose end is not known yet
WRITING_S = 20.0  # kept free at the end
SECONDS_BETWEEN_SAVES = 120.0


class LegDriver:
    """One leg.

    Args:
        root: of the unpacked leg.
        work: folder of its work.
        plan: of the leg.
        clock: of the leg.
        device: where to train.
    """

    def __init__(self, root: Path, work: Path, plan: LegPlan, clock: LegClock, device: str) -> None:
        self.root, self.work, self.plan, self.clock, self.device = root, work, plan, clock, device
        self.out = work / "out"
        self.start = root / "start"
        (self.out / LOGS).mkdir(parents=True, exist_ok=True)
        known = self.out / FACTS
        self.facts: dict[str, Any] = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
        self.facts |= {"plan": asdict(plan), "device": device, "torch": torch.__version__}

    def run(self) -> None:
        """Do the whole leg; what was reached lies in `out` whenever this ends."""
        torch.set_float32_matmul_precision("high")
        rendering = self._start_rendering()
        try:
            self._measure_speed()
            self._say("waiting for the first pieces")
            corpus = wait_for_pieces(
                self.work / "corpus",
                num_training=self.plan.min_training_pieces,
                num_heldout=self.plan.min_heldout_pieces,
                deadline_s=time.monotonic() + 0.5 * self.clock.seconds_left(),
                is_growing=lambda: rendering.poll() is None,
            )
            if self.plan.family == "score":
                self._train(_UnscoredScoreFamily(), corpus)
            else:
                self._train_audio(corpus)
            self._say("finished")
        finally:
            rendering.terminate()
            rendering.wait()

    def _measure_speed(self) -> None:
        """Time the model in several batch sizes while the first pieces are rendered."""
        if "speed" in self.facts:
            return
        plan = self.plan
        peak = peak_flops_per_s(self.device, LmTrainingConfig().dtype_on(self.device))
        spec = CODEC_TRAINING_PRESETS[plan.codec].codec.spec if plan.family == "audio" else None
        config = ScoreFamily().model_config(plan.size) if spec is None else audio_config(plan.size, spec, plan.hearing)
        self.facts["peak_tflops"], self.facts["speed"] = peak / 1e12, {}
        for batch_size in (plan.batch_size // 2, plan.batch_size, 2 * plan.batch_size):
            run = LmTrainingConfig(size=plan.size, batch_size=batch_size, window_frames=plan.window_frames)
            speed = measure_speed(config, run, self.device, peak=peak, num_steps=5)
            self.facts["speed"][str(batch_size)] = asdict(speed)
            self._say(f"batch {batch_size}: {speed.frames_per_s:.0f} frames/s, {speed.utilisation:.1%} of the peak")
        self._remember()

    def _train_audio(self, corpus: Corpus) -> None:
        codec_path = self._train_codec(corpus)
        tokens = self.work / "tokens"
        writer = self._start("legs", "tokenise", str(self.work), "--device", self.device)
        try:
            self._say("waiting for the first codes")
            token_corpus = wait_for_pieces(
                tokens,
                num_training=min(self.plan.min_training_pieces, 50),
                num_heldout=1,
                deadline_s=time.monotonic() + 0.6 * self.clock.seconds_left(),
                is_growing=lambda: writer.poll() is None,
            )
            codec = load_waveform_codec(codec_path)
            self._train(TokenFamily(codec, token_corpus.manifest["tokens"]), token_corpus)
        finally:
            writer.terminate()
            writer.wait()

    def _train_codec(self, corpus: Corpus) -> Path:
        """Train the codec, or the decoder of one that the leg brought, for its share of the time."""
        if "codec" in self.facts:
            return self.out / CODEC
        brought = self.start / CODEC if (self.start / CODEC).exists() else None
        if brought is not None and not self.plan.has_decoder_phase:
            shutil.copytree(brought, self.out / CODEC, dirs_exist_ok=True)
            return self.out / CODEC
        until_s = time.monotonic() + self.plan.codec_share * self.clock.seconds_left()
        trial = _Trial(self.plan.first_trial_steps)
        self._say("codec: how fast is it?")
        train = partial(self._train_codec_for, corpus, brought)
        result = train(FULL_STEPS, lambda: trial.is_over() or time.monotonic() > until_s)
        num_steps = result.step + max(1, int(trial.steps_per_s() * (until_s - time.monotonic())))
        self._say(f"codec: {num_steps} steps at {trial.steps_per_s():.1f} a second")
        last_s = until_s + 0.1 * self.plan.codec_share * self.clock.seconds
        result = train(num_steps, lambda: time.monotonic() > last_s)
        shutil.copytree(result.codec_path, self.out / CODEC, dirs_exist_ok=True)
        self.facts["codec"] = {
            "steps": result.step,
            "held_out_loss": result.held_out_loss,
            "had_adversary": self.plan.adversary_from < 1,
        }
        self._remember()
        self._copy_log(self.work / "codec", "codec")
        return self.out / CODEC

    def _train_codec_for(
        self, corpus: Corpus, brought: Path | None, num_steps: int, should_stop: Callable[[], bool]
    ) -> CodecTrainingResult:
        preset = CODEC_TRAINING_PRESETS[self.plan.codec]
        config = replace(preset, num_steps=num_steps, num_loaders=self.plan.num_loaders)
        if isinstance(config, EncodecTrainingConfig):
            config = replace(config, adversary_from=self.plan.adversary_from, has_frozen_tokens=brought is not None)
        return train_codec_on(
            CorpusWindows(GrowingPieces(corpus.folder, "train"), corpus.sample_rate_hz, corpus.sound.num_channels),
            CorpusWindows(corpus.pieces("heldout"), corpus.sample_rate_hz, corpus.sound.num_channels),
            self.work / "codec",
            config,
            device=self.device,
            start_from=brought,
            should_stop=should_stop,
        )

    def _train(self, family: TrainingFamily, corpus: Corpus) -> None:
        """Train the language model at its full rate as long as the time allows, then let the rate fall."""
        plan = self.plan
        config = LmTrainingConfig(
            size=plan.size,
            num_steps=FULL_STEPS,
            batch_size=plan.batch_size,
            window_frames=plan.window_frames,
            learning_rate=plan.learning_rate,
            decay_share=0.0,
            evaluate_every=500,
            seed=plan.corpus_seed,
            num_loaders=plan.num_loaders,
            is_compiled=plan.is_compiled,
        )
        brought = [path for path in (self.start / BEFORE_DECAY, self.start / BUNDLE) if path.exists()]
        trainer = LmTrainer(
            family,
            corpus,
            self.work / "lm",
            config,
            self.device,
            start_from=brought[0] if brought else None,
        )
        lm_seconds = max(0.0, self.clock.seconds_left() - WRITING_S)
        full_until_s = time.monotonic() + (1 - plan.decay_share) * lm_seconds
        first_step, began_s = trainer.step, time.monotonic()
        while time.monotonic() < full_until_s:
            self._say(f"language model at its full rate, step {trainer.step}")
            trainer.run(
                max_seconds=min(SECONDS_BETWEEN_SAVES, full_until_s - time.monotonic()), report=lambda _s, _v: None
            )
            self._write(trainer, corpus, "lm")
        steps_per_s = (trainer.step - first_step) / (time.monotonic() - began_s)
        self._write_before_decay(trainer)
        num_decay = max(1, int(0.95 * steps_per_s * (self.clock.seconds_left() - WRITING_S)))
        self._say(f"decay over {num_decay} steps at {steps_per_s:.1f} a second")
        total = trainer.step + num_decay
        trainer = LmTrainer(
            family,
            corpus,
            self._copied_run("lm", "lm-decay"),
            replace(config, num_steps=total, decay_share=num_decay / total),
            self.device,
        )
        trainer.run(max_seconds=max(0.0, self.clock.seconds_left() - WRITING_S), report=lambda _s, _v: None)
        self.facts["lm"] = {"steps": trainer.step, "decay_steps": num_decay, "steps_per_s": steps_per_s}
        self._write(trainer, corpus, "lm-decay")

    def _copied_run(self, source: str, target: str) -> Path:
        shutil.rmtree(self.work / target, ignore_errors=True)
        shutil.copytree(self.work / source, self.work / target)
        return self.work / target

    def _write(self, trainer: LmTrainer, corpus: Corpus, run: str) -> None:
        """Put the averaged weights into `out`, in one rename, so that there is always a whole bundle."""
        partial = self.work / "bundle.partial"
        shutil.rmtree(partial, ignore_errors=True)
        self.facts["model_id"] = trainer.write_bundle(partial, {"corpus": corpus.manifest, "leg": self.facts}).model_id
        self.facts["seconds_left"] = self.clock.seconds_left()
        shutil.rmtree(self.out / BUNDLE, ignore_errors=True)
        partial.rename(self.out / BUNDLE)
        self._copy_log(self.work / run, "lm")
        self._remember()

    def _write_before_decay(self, trainer: LmTrainer) -> None:
        """Put the weights themselves into `out`, not their average: what the next leg goes on from."""
        folder = self.out / BEFORE_DECAY
        shutil.rmtree(folder, ignore_errors=True)
        manifest = trainer.write_bundle(self.work / "bundle.partial", {"leg": self.facts})
        save_bundle(folder, manifest, trainer.model)

    def _remember(self) -> None:
        (self.out / FACTS).write_text(json.dumps(self.facts, indent=1) + "\n", encoding="utf-8")

    def _copy_log(self, run_path: Path, name: str) -> None:
        if (run_path / LOG_FILE).exists():
            shutil.copyfile(run_path / LOG_FILE, self.out / LOGS / f"{name}.jsonl")

    def _start_rendering(self) -> subprocess.Popen[bytes]:
        plan = self.plan
        options = {"pieces": plan.num_pieces, "seconds": plan.piece_s, "seed": plan.corpus_seed}
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        return self._start("synthesize", str(self.work / "corpus"), *arguments, "--processes", str(plan.num_processes))

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.work / f"{arguments[0]}.log").open("ab") as log:
            # Training must not wait for those who render.
            command = ["nice", "-n", "10", sys.executable, str(self.root / "leg.py"), *arguments]
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def _say(self, what: str) -> None:
        status = {"doing": what, "seconds_left": round(self.clock.seconds_left())}
        (self.work / "status.json").write_text(json.dumps(status) + "\n", encoding="utf-8")
        sys.stderr.write(f"{self.clock.seconds_spent():7.1f} s  {what}\n")
        sys.stderr.flush()


class _UnscoredScoreFamily(ScoreFamily):
    """The score family without listening scores, which decode on the CPU and would cost a leg minutes."""

    def score(self, model: Any, pieces: Any, batches: Any) -> dict[str, float]:
        """Nothing: `stemgen evaluate` does it at home."""
        return {}


class _Trial:
    """Stops after some steps and says how many there were a second; the first tenth, which warms up, doesn't count."""

    def __init__(self, num_steps: int) -> None:
        self.num_steps = num_steps
        self.times_s: list[float] = []

    def is_over(self) -> bool:
        """Count one step."""
        self.times_s.append(time.monotonic())
        return len(self.times_s) >= self.num_steps

    def steps_per_s(self) -> float:
        """Return the speed; 0 before there are two steps."""
        counted = self.times_s[len(self.times_s) // 10 :]
        return 0.0 if len(counted) < 2 else (len(counted) - 1) / (counted[-1] - counted[0])


def tokenise_leg(work: Path, plan: LegPlan, device: str) -> None:
    """Write codes of everything that a leg renders, as it is rendered, until nothing more comes."""
    corpus = Corpus.open(work / "corpus")
    tokenise_corpus(
        _as_they_come(corpus, plan.num_pieces),
        corpus,
        load_waveform_codec(work / "out" / CODEC),
        work / "tokens",
        TokenSettings(plan.num_renders, plan.num_mixes, plan.corpus_seed, plan.hearing),
        device=device,
        num_processes=plan.num_processes,
    )


def _as_they_come(corpus: Corpus, num_pieces: int) -> Iterator[CorpusPiece]:
    """Yield each piece of both splits once, until there are `num_pieces`; held-out ones as soon as there are any."""
    training, heldout = GrowingPieces(corpus.folder, "train"), GrowingPieces(corpus.folder, "heldout")
    taken = [0, 0]
    while sum(taken) < num_pieces:
        before = sum(taken)
        for split, pieces in enumerate((heldout, training)):
            if taken[split] < len(pieces):
                yield pieces[taken[split]]
                taken[split] += 1
        if sum(taken) == before:
            time.sleep(0.5)
