"""`stemgen legs run`: one command's share of a leg on the machine.

A command there may last only minutes, a leg lasts longer. So the first command starts the leg as a process of its own
session, which outlives it; every command waits, then brings what it may carry.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from stemgen_core.codec.codec_files import CONFIG_FILE
from stemgen_core.errors import InvalidRequestError
from stemgen_core.legs.clock import LegClock
from stemgen_core.legs.driver import BEFORE_DECAY, BUNDLE, CODEC, FACTS, LOGS
from stemgen_core.legs.parts import choose_parts, cut_folder, read_part_list

LOOK_S = 0.5
LOG_TAIL_BYTES = 4_000
# What comes home, in this order. While the leg still runs as far as one journey carries; at the end all of it, in
# archives of a journey each, so that what is needed most is whole however few journeys there is time for.
_IN_ORDER = (FACTS, LOGS, CODEC, BUNDLE, BEFORE_DECAY)
MORE = "-more"
_PID_FILE, _DRIVER_LOG, _SNAPSHOTS = "driver.pid", "driver.log", "snapshots"
_SMALLEST_PART_BYTES = 4096
_started: dict[int, subprocess.Popen[bytes]] = {}  # by this very process, which has to lay them to rest


@dataclass(frozen=True, slots=True)
class Journey:
    """What one command may bring back.

    Attributes:
        max_files: files, the list and the status among them.
        max_file_bytes: of each.
        max_bytes: of all together.
    """

    max_files: int = 8
    max_file_bytes: int = 15 * 2**20
    max_bytes: int = 60 * 2**20


def run_leg(
    root: Path, work: Path, out: Path, *, leg_minutes: float, minutes: float, device: str, journey: Journey
) -> str:
    """Start the leg, or find it running; wait; bring what fits.

    Args:
        root: of the unpacked leg.
        work: folder of the leg's work, on the machine.
        out: gets what is to travel home.
        leg_minutes: of the whole leg; counts at its first command.
        minutes: until this command ends; it ends earlier if the leg is finished.
        device: where to train.
        journey: what may travel.

    Returns:
        What was brought and what is still to fetch, for people.
    """
    until_s = time.monotonic() + 60 * minutes
    clock = LegClock.start_or_join(work, leg_minutes)
    if not _is_alive(work) and not is_finished(work) and clock.seconds_left() > 0:
        _start_driver(root, work, device)
    while time.monotonic() < until_s and _is_alive(work):
        time.sleep(LOOK_S)
    first_name = f"leg-m{round(clock.seconds_spent() / 60):03d}"
    archives = _archives(work, journey.max_bytes)
    for number, contents in enumerate(archives if is_finished(work) else archives[:1]):
        name = archive_name(first_name, number)
        snapshot = work / _SNAPSHOTS / name
        _take_snapshot(work, snapshot, contents, has_logs=number == 0)
        parts_folder = work / _SNAPSHOTS / f"{name}-parts"
        cut_folder(snapshot, parts_folder, name, max_part_bytes=max(_SMALLEST_PART_BYTES, journey.max_file_bytes))
        shutil.rmtree(snapshot)
    return bring(work, out, first_name, 0, journey)


def archive_name(first_name: str, number: int) -> str:
    """Return the name of an archive of a snapshot; 0 is the first, which holds what is needed most."""
    return f"{first_name}{MORE}{number}" if number else first_name


def bring(work: Path, out: Path, name: str, first: int, journey: Journey) -> str:
    """Copy the parts from number `first` on that one journey carries, their list and the status of the leg.

    Raises:
        InvalidRequestError: if there is no such snapshot.
    """
    folder = work / _SNAPSHOTS / f"{name}-parts"
    if not folder.exists():
        raise InvalidRequestError(f"There is no snapshot {name!r} in {work}.")
    parts = read_part_list(folder / f"{name}.json")
    chosen = choose_parts(parts, first, max_files=journey.max_files - 1, max_bytes=journey.max_bytes)
    out.mkdir(parents=True, exist_ok=True)
    for file_name in (f"{name}.json", *(parts.file_name(number) for number in chosen)):
        shutil.copyfile(folder / file_name, out / file_name)
    status = status_text(work)
    (out / "status.txt").write_text(status, encoding="utf-8")
    told = f"{status}\nbrought {len(chosen)} of {len(parts.sizes)} parts of {name}"
    command = f"python3 leg.py legs bring {work} OUT"
    if left := len(parts.sizes) - chosen.stop:
        return f"{told}; {left} to fetch: {command} --name {name} --first {chosen.stop}"
    first_name, _, number = name.partition(MORE)
    following = archive_name(first_name, int(number or 0) + 1)
    if (work / _SNAPSHOTS / f"{following}-parts").exists():
        return f"{told}; more to fetch: {command} --name {following}"
    return told


def status_text(work: Path) -> str:
    """Return where the leg stands and the end of its log."""
    status = work / "status.json"
    now = json.loads(status.read_text(encoding="utf-8")) if status.exists() else {"doing": "nothing yet"}
    log = work / _DRIVER_LOG
    tail = log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace") if log.exists() else ""
    ended = "" if _is_alive(work) or is_finished(work) else "  (its process has ended: the log says why)"
    return f"{now['doing']}{ended}\n{tail}"


def is_finished(work: Path) -> bool:
    """Whether the leg came to its planned end."""
    return (work / "finished").exists()


def _start_driver(root: Path, work: Path, device: str) -> None:
    with (work / _DRIVER_LOG).open("ab") as log:
        command = [sys.executable, str(root / "leg.py"), "legs", "drive", str(work), "--device", device]
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, cwd=root
        )
    _started[process.pid] = process
    (work / _PID_FILE).write_text(f"{process.pid}\n", encoding="utf-8")


def _is_alive(work: Path) -> bool:
    """Whether the leg's process runs, whichever command started it."""
    try:
        pid = int((work / _PID_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    if pid in _started:
        return _started[pid].poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _archives(work: Path, max_bytes: int) -> list[list[str]]:
    """Part what is worth bringing home into archives, the most needed first, each of one journey or of one thing."""
    out = work / "out"
    archives, size = [[]], 0
    for source in (out / name for name in _IN_ORDER):
        # A bundle holds its codec: carried once, a model of medium size comes home with it in one journey.
        if not source.exists() or (source.name == CODEC and (out / BUNDLE / CONFIG_FILE).exists()):
            continue
        own = sum(path.stat().st_size for path in ([source] if source.is_file() else source.rglob("*")))
        if archives[-1] and size + own > 0.95 * max_bytes:
            archives.append([])
            size = 0
        archives[-1].append(source.name)
        size += own
    return archives


def _take_snapshot(work: Path, target: Path, contents: list[str], *, has_logs: bool) -> None:
    """Copy some of what is worth bringing home, perhaps with the logs of the leg's processes."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for source in (work / "out" / name for name in contents):
        if source.is_dir():
            shutil.copytree(source, target / source.name)
        else:
            shutil.copyfile(source, target / source.name)
    for log in (_DRIVER_LOG, "synthesize.log", "legs.log"):
        if has_logs and (work / log).exists():
            (target / LOGS).mkdir(exist_ok=True)
            shutil.copyfile(work / log, target / LOGS / log)
