"""A process that works in a data folder until it is killed, and what must hold of the folder afterwards."""

import json
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.examples import Example
from app.model_shelf import ModelShelf
from app.services import StemOrder, Studio
from app.sounds import SoundShelf
from app.worker import GenerationWorker
from sessions.check import check_database, check_sounds
from sessions.home import DataHome
from sessions.store import SessionStore, open_home
from sessions.tree import Mixer, WorkState
from stemgen_core.generator import GenerationRequest, GenerationResult
from stemgen_core.types import Waveform
from tests.app.fakes import PLAIN_FILES, noise_bursts
from tests.generators import GOOD_FIT, Caller, EchoGenerator

OWNER = "0" * 32


@dataclass
class HastyGenerator(EchoGenerator):
    """Makes a burst of noise of its seed in a few milliseconds, in steps."""

    model_id: str = "hasty"

    def play(self, context: Waveform, request: GenerationRequest, caller: Caller) -> GenerationResult:
        for step in range(4):
            time.sleep(0.001)
            caller.hears((step + 1) / 4)
        stem = noise_bursts(context.num_audio_samples, context.sample_rate_hz, request.seed)
        return GenerationResult(stem, None, self.model_id, 0.01, GOOD_FIT)


def run_in_child(work: Callable[[], object]) -> int:
    """Run something in a process of its own and return how that ended: 0, or minus the signal.

    A fork is quicker than a new interpreter; the caller has no database open that it could inherit.
    """
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def generate_and_edit(home: DataHome, acks_path: Path, clip: Path, seed: int) -> None:
    """Generate and edit until killed; each line at `acks_path` is something that a user was told."""
    rng = random.Random(seed)
    acks = os.open(acks_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def tell(**what: object) -> None:
        os.write(acks, json.dumps(what).encode() + b"\n")

    with open_home(home) as store:
        sounds = SoundShelf(store.blobs, PLAIN_FILES)
        models = ModelShelf(HastyGenerator)
        models.wait(10)
        worker = GenerationWorker(store, sounds.keep)
        studio = Studio(store, sounds, models, worker, {"loop": Example("loop", "Loop", "", clip)}, max_context_s=30)
        tell(kind="ready")
        node = studio.start_from_example(OWNER, "loop")
        tell(kind="node", id=node.id, sha256=node.audio.sha256 if node.audio else "")
        for number in range(10_000):
            turn = studio.request_stem(
                OWNER, node.id, StemOrder(rng.choice(["bass", "drums"]), 2, "balanced", rng.randrange(10**6))
            )
            while not turn.state.is_finished:
                store.set_mixer(OWNER, node.id, Mixer(gain_db=float(-number % 60)))
                store.rename_node(OWNER, node.id, f"{number}")
                tell(kind="name", id=node.id, name=number)
                turn = store.turn(OWNER, turn.id)
                for variation in turn.variations:
                    if variation.audio is not None:
                        tell(kind="stem", id=variation.id, sha256=variation.audio.sha256)
            done = [variation for variation in turn.variations if variation.state is WorkState.DONE]
            picked = studio.pick(OWNER, rng.choice(done).id)
            tell(kind="node", id=picked.id, sha256=picked.audio.sha256 if picked.audio else "")
            choice = rng.random()
            if choice < 0.3:
                store.delete_node(OWNER, picked.id)
                store.restore_node(OWNER, picked.id)
            elif choice < 0.4:
                node = studio.start_from_example(OWNER, "loop")
                tell(kind="node", id=node.id, sha256=node.audio.sha256 if node.audio else "")
            elif choice < 0.7:
                node = picked


def kill_after(work: Callable[[], object], acks_path: Path, num_acks: int, seconds: float) -> None:
    """Let a process work until it acknowledged some more things, and for some seconds more; then kill it.

    Counted in acknowledgements, because a time alone would kill on a busy machine before anything happened.
    """
    num_wanted = _num_acks(acks_path) + num_acks
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(1)
    deadline = time.monotonic() + 120
    while _num_acks(acks_path) < num_wanted and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != -signal.SIGKILL:
        raise ChildProcessError(f"the victim ended by itself: {status}")


def _num_acks(acks_path: Path) -> int:
    return acks_path.read_text().count("\n") if acks_path.exists() else 0


def assert_nothing_lost(home: DataHome, acks_path: Path) -> tuple[int, int]:
    """Hold a home against what users were told; return the numbers of stems and of all acknowledgements."""
    with open_home(home) as store:
        assert_sound(store)
        stems: set[str] = set()
        names: dict[str, int] = {}
        lines = acks_path.read_text().splitlines()
        for line in lines:
            what = json.loads(line)
            if what["kind"] == "stem":
                stems.add(what["id"])
                variation = store.variation(OWNER, what["id"])
                assert variation.state is WorkState.DONE
                assert variation.audio is not None
                assert variation.audio.sha256 == what["sha256"]
            elif what["kind"] == "node":
                assert store.node(OWNER, what["id"]).audio is not None
            elif what["kind"] == "name":
                names[what["id"]] = max(names.get(what["id"], 0), what["name"])
        for node_id, name in names.items():
            assert int(store.node(OWNER, node_id).name) >= name
        for info in store.sessions(OWNER):
            assert all(turn.state.is_finished for turn in store.turns(OWNER, info.id))
    return len(stems), len(lines)


def assert_sound(store: SessionStore) -> None:
    """Integrity and references are whole, and every row's file is there and is what it was."""
    assert list(check_database(store.database)) == []
    broken = [finding.what for finding in check_sounds(store.database, store.blobs) if finding.severity == "broken"]
    assert broken == []
