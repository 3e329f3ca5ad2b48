"""A leg that outlives the commands of its machine, and what each brings home; the leg itself is a stand-in here."""

import json
import os
import re
import time
from pathlib import Path

import pytest

from stemgen_core.errors import InvalidRequestError
from stemgen_core.legs.clock import LegClock
from stemgen_core.legs.home import join_leg
from stemgen_core.legs.machine import Journey, bring, is_finished, run_leg
from stemgen_core.legs.parts import find_part_lists, join_parts

# Writes what a leg writes; "wait" lies in its work folder for as long as it is to go on.
STAND_IN = """
import json, pathlib, sys, time
work = pathlib.Path(sys.argv[3])
(work / "started").open("a").write("x")
out = work / "out"
(out / "logs").mkdir(parents=True, exist_ok=True)
(out / "leg.json").write_text(json.dumps({"plan": {"corpus_seed": 1, "family": "audio"}}))
(out / "logs" / "lm.jsonl").write_text('{"step": 25}\\n')
(out / "codec").mkdir(exist_ok=True)
(out / "codec" / "weights").write_bytes(bytes(range(256)) * 10)
print("it says something", flush=True)
while (work / "wait").exists():
    time.sleep(0.05)
(out / "codec" / "weights").write_bytes(bytes(range(255, -1, -1)) * 10)
(work / "finished").touch()
"""
SMALL = Journey(max_files=4, max_file_bytes=4_096, max_bytes=100_000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "leg").mkdir()
    (tmp_path / "leg" / "leg.py").write_text(STAND_IN)
    return tmp_path / "leg"


def run(root: Path, work: Path, out: Path, seconds: float, journey: Journey = SMALL) -> str:
    return run_leg(root, work, out, leg_minutes=5, minutes=seconds / 60, device="cpu", journey=journey)


def test_a_leg_goes_on_between_commands_and_is_started_once(root: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "wait").touch()

    first = run(root, work, tmp_path / "out-1", 3.0)
    started_by = int((work / "driver.pid").read_text())
    second = run(root, work, tmp_path / "out-2", 0.3)
    is_own_session = os.getsid(started_by) == started_by
    (work / "wait").unlink()
    run(root, work, tmp_path / "out-3", 30)

    assert is_own_session
    assert is_finished(work)
    assert (work / "started").read_text() == "x"
    assert "it says something" in first
    assert "brought" in second


def test_what_every_command_brings_is_whole(root: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "wait").touch()
    run(root, work, tmp_path / "early", 3.0)
    (work / "wait").unlink()
    run(root, work, tmp_path / "late", 30)

    join_leg([tmp_path / "early"], tmp_path / "joined-early")
    join_leg([tmp_path / "late"], tmp_path / "joined-late")

    assert (tmp_path / "joined-early" / "codec" / "weights").read_bytes()[:2] == b"\x00\x01"
    assert (tmp_path / "joined-late" / "codec" / "weights").read_bytes()[:2] == b"\xff\xfe"


def test_a_leg_that_died_is_told_with_its_log_and_started_again(root: Path, tmp_path: Path) -> None:
    (root / "leg.py").write_text("raise SystemExit('no fonts here')")

    told = run(root, tmp_path / "work", tmp_path / "out", 30)
    (root / "leg.py").write_text(STAND_IN)
    run(root, tmp_path / "work", tmp_path / "out", 30)

    assert "its process has ended" in told
    assert "no fonts here" in told
    assert is_finished(tmp_path / "work")


def test_what_one_journey_cannot_carry_is_fetched_by_the_next_as_each_says(root: Path, tmp_path: Path) -> None:
    (root / "leg.py").write_text(STAND_IN.replace("bytes(range(255, -1, -1)) * 10", "__import__('os').urandom(30_000)"))
    work, journey = tmp_path / "work", Journey(max_files=6, max_file_bytes=4_096, max_bytes=20_000)
    outs = [tmp_path / "out-0"]

    told = run(root, work, outs[0], 30, journey)
    while found := re.search(r"--name (\S+)(?: --first (\d+))?$", told):
        outs.append(tmp_path / f"out-{len(outs)}")
        told = bring(work, outs[-1], found[1], int(found[2] or 0), journey)

    assert len(outs) > 2
    join_leg(outs, tmp_path / "joined")
    assert (tmp_path / "joined" / "codec" / "weights").read_bytes() == (work / "out" / "codec" / "weights").read_bytes()
    for out in outs:
        files = list(out.iterdir())
        assert len(files) <= 6
        assert sum(path.stat().st_size for path in files) < 25_000


def test_what_is_needed_most_is_whole_after_the_first_journey(root: Path, tmp_path: Path) -> None:
    (root / "leg.py").write_text(STAND_IN.replace("bytes(range(255, -1, -1)) * 10", "__import__('os').urandom(30_000)"))
    work, journey = tmp_path / "work", Journey(max_files=6, max_file_bytes=4_096, max_bytes=20_000)

    told = run(root, work, tmp_path / "out", 30, journey)
    join_leg([tmp_path / "out"], tmp_path / "joined")

    assert "-more1" in told
    assert {path.name for path in (tmp_path / "joined").iterdir()} == {"leg.json", "logs"}


def test_a_codec_travels_once_inside_the_bundle_or_alone(root: Path, tmp_path: Path) -> None:
    bundle = """(out / "bundle").mkdir(exist_ok=True)
(out / "bundle" / "codec.json").write_text("{}")
(work / "finished")"""
    run(root, tmp_path / "alone", tmp_path / "out-1", 30)
    (root / "leg.py").write_text(STAND_IN.replace('(work / "finished")', bundle))
    run(root, tmp_path / "inside", tmp_path / "out-2", 30)

    for number, wanted in ((1, "codec"), (2, "bundle")):
        (parts,) = find_part_lists([tmp_path / f"out-{number}"]).values()
        join_parts([tmp_path / f"out-{number}"], parts, tmp_path / f"joined-{number}")
        assert {path.name for path in (tmp_path / f"joined-{number}").iterdir()} == {"leg.json", "logs", wanted}


def test_a_snapshot_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="no snapshot 'leg-m009'"):
        bring(tmp_path, tmp_path / "out", "leg-m009", 0, SMALL)


def test_the_clock_is_started_once_and_shared(tmp_path: Path) -> None:
    first = LegClock.start_or_join(tmp_path, 2.0)
    time.sleep(0.05)

    again = LegClock.start_or_join(tmp_path, 99.0)

    assert again == first
    assert 100 < again.seconds_left() < 120
    assert json.loads((tmp_path / "clock.json").read_text())["seconds"] == 120
