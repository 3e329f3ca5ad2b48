"""`stemgen sessions backup | restore | check | gc`: keeping the data, and getting it back."""

import argparse
from typing import TYPE_CHECKING, Any

from app.errors import UnsoundDataError

if TYPE_CHECKING:
    from app.model_shelf import Generator
    from sessions.operator import Operator

_DAY_S = 86_400.0


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the commands."""
    backup = commands.add_parser("backup", help="copy everything to a folder or address; the server may be running")
    backup.add_argument("target", metavar="TARGET", help="folder, or an address such as s3://bucket/stemgen")
    backup.set_defaults(run=run_backup)

    restore = commands.add_parser("restore", help="bring the latest copy into a data folder without sessions")
    restore.add_argument("source", metavar="SOURCE", help="what `backup` or the server's snapshots were written to")
    restore.set_defaults(run=run_restore)

    check = commands.add_parser("check", help="say what is wrong and what to do; the server may be running")
    check.add_argument(
        "--regenerate", action="store_true", help="make every take again, say whether it is the same, mend lost files"
    )
    check.add_argument("--session", metavar="SESSION", help="with --regenerate: only this one")
    check.set_defaults(run=run_check)

    gc = commands.add_parser("gc", help="remove what nothing uses; the server must not be running")
    gc.add_argument(
        "--trash-days", type=float, metavar="N", help="also erase sessions that have been in the trash for N days"
    )
    gc.set_defaults(run=run_gc)


def run_backup(parsed: argparse.Namespace) -> None:
    """Copy everything and say what came along."""
    from app.commands.home import find_home
    from app.main import SECRET_NAMES
    from sessions.operator import open_for_reading
    from sessions.snapshot import SnapshotFolder

    home = find_home(parsed)
    snapshots = SnapshotFolder(parsed.target)
    with open_for_reading(home) as operator:
        secrets = tuple(home.folder / name for name in SECRET_NAMES)
        info = snapshots.save(operator.database, operator.blobs, secrets)
    num_swept = snapshots.sweep()
    print(f"{parsed.target}  {info.database}, {info.num_sounds} sounds")
    if num_swept:
        print(f"{num_swept} old sounds removed that none of its copies names")
    for sha256 in info.missing:
        print(f"not in it: the sound {sha256[:12]}, whose file is missing or damaged (see `stemgen sessions check`)")


def run_restore(parsed: argparse.Namespace) -> None:
    """Bring the latest copy into the data folder."""
    from app.commands.home import find_home
    from sessions.snapshot import SnapshotFolder

    home = find_home(parsed)
    info = SnapshotFolder(parsed.source).restore(home)
    print(f"{home.folder}  {info.database}, {info.num_sounds} sounds")


def run_check(parsed: argparse.Namespace) -> None:
    """Print what was found; the exit status is 1 if anything is broken."""
    from app.commands.home import find_home
    from sessions.check import Severity, check_database, check_sounds, check_surroundings
    from sessions.operator import open_for_reading, open_for_writing

    home = find_home(parsed)
    with open_for_reading(home) as operator:
        findings = list(check_database(operator.database))
        if not findings:
            findings += check_sounds(operator.database, operator.blobs)
            findings += check_surroundings(home)
            print(f"{len(operator.listing())} sessions, {len(operator.named_audio())} sounds")
    for finding in findings:
        print(f"{finding.severity.value}: {finding.what} {finding.advice}")
    num_broken = sum(finding.severity is Severity.BROKEN for finding in findings)
    if parsed.regenerate:
        with open_for_writing(home) as operator:
            num_broken = _regenerate_all(operator, _load_generators(), parsed.session)
    if num_broken:
        raise UnsoundDataError(f"{num_broken} things are not as they should be")
    print("all is well")


def run_gc(parsed: argparse.Namespace) -> None:
    """Erase old trash if asked to, then sweep."""
    from app.commands.home import find_home
    from sessions.operator import open_for_writing

    with open_for_writing(find_home(parsed)) as operator:
        if parsed.trash_days is not None:
            print(f"{operator.erase_trash(older_than_s=parsed.trash_days * _DAY_S)} sessions of the trash erased")
        num_files, num_bytes = operator.sweep_orphans()
    print(f"{num_files} unused files removed, {num_bytes / 1e6:.1f} MB")


def _load_generators() -> "list[Generator]":
    from app.settings import Settings
    from stemgen_core.generator import StemGenerator

    return [StemGenerator.load(path) for path in Settings.from_environment().bundle_paths]


def _regenerate_all(operator: "Operator", generators: "list[Generator]", only: str | None) -> int:
    """Make takes again, print a line for each, and return how many did not come out the same."""
    from app.regeneration import Sameness, regenerate
    from app.row_requests import request_from_row
    from app.sounds import SoundFiles, SoundShelf, read_kept
    from stemgen_core.audio import mix_waveforms, read_audio, write_flac

    sounds = SoundShelf(operator.blobs, SoundFiles(read_audio, read_kept, write_flac, mix_waveforms))
    models = {generator.model_id: generator for generator in generators}
    num_other = 0
    for turn, lineage in operator.finished_turns(None if only is None else operator.find(only)):
        for variation in turn.variations:
            if variation.audio is None:
                continue
            outcome = regenerate(
                turn,
                variation,
                lineage,
                generator=models.get(turn.model_id, generators[0]),
                sounds=sounds,
                build_request=request_from_row,
            )
            num_other += outcome.sameness not in (Sameness.IDENTICAL, Sameness.RESTORED)
            print(f"{outcome.sameness.value:10}  {turn.instrument}, seed {variation.seed}  {outcome.why}".rstrip())
    return num_other
