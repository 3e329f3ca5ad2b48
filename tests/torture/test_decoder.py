"""Strangers' files by the thousand: the server lives, nothing hangs, memory stays bounded, and errors are in words."""

import queue
import random
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from stemgen_core.audio import DecodingLimits, read_audio, reading
from stemgen_core.errors import AudioFormatError
from tests.torture.bad_files import AUDIO, BAD_FILES, FOR_FFMPEG
from tests.torture.decoder_memory import DecoderMemory
from tests.torture.mutation import MUTATORS
from tests.torture.sound_files import HAS_FFMPEG, write_all
from tests.torture.warm_decoder import WarmDecoder

MIN_CHILD_BYTES, MAX_CHILD_BYTES = 10_000_000, 2**30  # Python alone takes the least: less was not seen
MAX_OWN_GROWTH_BYTES = 200_000_000
PATIENT = DecodingLimits(patience_s=600)


def _outcome(path: Path) -> str:
    """Return "audio" or what was said; any other exception than the one for users is the test's failure."""
    try:
        waveform = read_audio(path, limits=PATIENT)
    except AudioFormatError as error:
        return str(error)
    if not waveform.samples.isfinite().all() or waveform.samples.abs().max() > PATIENT.max_level:
        return "samples beyond the limits"
    return AUDIO


def _own_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> DecoderMemory:
    """Return what decoders held, of all that are started from now on."""
    memory = DecoderMemory()
    monkeypatch.setattr(reading, "subprocess", memory.as_subprocess)
    return memory


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which decoders work, so that leftovers are seen."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def warm_decoders(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[WarmDecoder]]:
    """Put decoders that are started already in the place of the usual ones."""
    decoders = [WarmDecoder() for _ in range(2)]
    for decoder in decoders:
        decoder.wait_until_warm()
    free = queue.SimpleQueue[WarmDecoder]()
    for decoder in decoders:
        free.put(decoder)

    def run_child(folder: Path, limits: DecodingLimits) -> dict[str, object]:
        decoder = free.get()
        try:
            return decoder.run(folder, limits)
        finally:
            free.put(decoder)

    monkeypatch.setattr(reading, "_run_child", run_child)
    yield decoders
    for decoder in decoders:
        decoder.close()


@dataclass(frozen=True, slots=True)
class Torture:
    """What came of mutated files: for each which it was, what was said of it and how long that took."""

    results: list[tuple[str, str, float]]
    grown_bytes: int
    seconds: float

    @property
    def kinds(self) -> Counter[str]:
        return Counter(
            "audio" if said == AUDIO else "crash of the decoder" if "broke down" in said else "error"
            for _, said, _ in self.results
        )


def _torture(folder: Path, seeds: range) -> Torture:
    whole = write_all(folder)
    pairs = [(form, mutator) for form in whole for mutator in MUTATORS]
    before, began_s = _own_bytes(), time.monotonic()

    def torture(seed: int) -> tuple[str, str, float]:
        rng = random.Random(seed)
        form, mutator = pairs[seed % len(pairs)]
        path = folder / f"mutant-{seed}"
        path.write_bytes(MUTATORS[mutator](whole[form], rng, whole[rng.choice(list(whole))]) or b"\0")
        started_s = time.monotonic()
        outcome = _outcome(path)
        path.unlink()
        return f"{seed} ({form}, {mutator})", outcome.removeprefix(path.name), time.monotonic() - started_s

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(torture, seeds))
    return Torture(results, _own_bytes() - before, time.monotonic() - began_s)


def _check(torture: Torture, scratch: Path, largest_bytes: int, tell: Callable[[str], None]) -> None:
    slowest = max(torture.results, key=lambda result: result[2])
    tell(
        f"{len(torture.results)} files in {torture.seconds:.0f} s: {dict(torture.kinds)}; slowest {slowest[2]:.1f} s "
        f"{slowest[0]}; largest decoder {largest_bytes / 2**20:.0f} MiB; "
        f"own growth {torture.grown_bytes / 2**20:.0f} MiB"
    )
    assert not [what for what in torture.results if what[1] != AUDIO and not what[1].startswith(" can't be used: ")]
    assert not [what for what in torture.results if "took more than" in what[1]]  # hung, and was killed after 30 s
    assert MIN_CHILD_BYTES < largest_bytes < MAX_CHILD_BYTES
    assert torture.grown_bytes < MAX_OWN_GROWTH_BYTES
    assert list(scratch.iterdir()) == []
    assert torture.kinds["error"] > len(torture.results) // 5  # the mutations do harm
    assert torture.kinds["audio"] > len(torture.results) // 20  # and not so much that decoders are never reached


def test_what_a_decoder_holds_is_seen_and_not_what_its_starter_holds(memory: DecoderMemory) -> None:
    mine = b"1" * 500_000_000

    memory.as_subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.1)"]).wait()
    small = memory.largest_bytes
    grows = "import time; held = b'1' * 200_000_000; time.sleep(0.1)"
    starts = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grows!r}])"
    memory.as_subprocess.Popen([sys.executable, "-c", starts]).wait(60)

    assert small < 100_000_000 < 200_000_000 < memory.largest_bytes < len(mine)


@pytest.mark.parametrize("num_files", [40, pytest.param(500, marks=pytest.mark.torture)])
def test_mutated_files_give_audio_or_an_error_that_names_the_file(
    tmp_path: Path, scratch: Path, memory: DecoderMemory, tell: Callable[[str], None], num_files: int
) -> None:
    torture = _torture(tmp_path, range(num_files))

    _check(torture, scratch, memory.largest_bytes, tell)


@pytest.mark.torture
def test_ten_thousand_mutated_files_crash_and_hang_nothing(
    tmp_path: Path, scratch: Path, warm_decoders: list[WarmDecoder], tell: Callable[[str], None]
) -> None:
    torture = _torture(tmp_path, range(10_000))

    _check(torture, scratch, max(decoder.largest_bytes for decoder in warm_decoders), tell)


def test_files_made_by_hand_to_do_harm_are_refused_in_words_within_seconds(
    tmp_path: Path, scratch: Path, memory: DecoderMemory, tell: Callable[[str], None]
) -> None:
    files = {**BAD_FILES, **(FOR_FFMPEG if HAS_FFMPEG else {})}

    def try_one(name: str) -> tuple[str, str, float]:
        make, _ = files[name]
        path = tmp_path / f"{name}.wav"
        path.write_bytes(make())
        started_s = time.monotonic()
        return name, _outcome(path), time.monotonic() - started_s

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(try_one, files))

    slowest = max(results, key=lambda result: result[2])
    tell(
        f"{len(files)} files; slowest {slowest[2]:.1f} s ({slowest[0]}); "
        f"largest decoder {memory.largest_bytes / 2**20:.0f} MiB"
    )
    wrong = [(name, said) for name, said, _ in results if not re.search(files[name][1], said)]
    assert not wrong, "\n".join(map(str, wrong))
    assert len(files) >= (60 if HAS_FFMPEG else 55)
    assert not [name for name, said, _ in results if "broke down" in said]
    assert slowest[2] < 30  # of a busy machine: most take a quarter of a second
    assert MIN_CHILD_BYTES < memory.largest_bytes < MAX_CHILD_BYTES
    assert list(scratch.iterdir()) == []
