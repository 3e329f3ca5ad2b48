"""`stemgen sessions list | export | import`: what is there, and how it travels."""

import argparse
import time
from pathlib import Path
from typing import Any

_NAME_WIDTH = 32


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the commands."""
    listing = commands.add_parser("list", help="list all sessions, last changed first")
    listing.set_defaults(run=run_list)

    export = commands.add_parser("export", help="write a session as one file; the server may be running")
    export.add_argument("session", metavar="SESSION", help="id, or how it begins, as `list` shows it")
    export.add_argument("file", type=Path, metavar="FILE", help="zip file to write")
    export.set_defaults(run=run_export)

    bring = commands.add_parser("import", help="take in a session file; the server must not be running")
    bring.add_argument("file", type=Path, metavar="FILE", help="what `export` or the studio's page wrote")
    bring.add_argument("--beside", metavar="SESSION", help="give it to the owner of this session")
    bring.set_defaults(run=run_import)


def run_list(parsed: argparse.Namespace) -> None:
    """Print a line per session."""
    from app.commands.home import find_home
    from sessions.operator import open_for_reading

    with open_for_reading(find_home(parsed)) as operator:
        listing = operator.listing()
    print(f"{'id':12}  {'owner':6}  {'changed':16}  {'nodes':>5}  {'turns':>5}  name")
    for info in listing:
        changed = time.strftime("%Y-%m-%d %H:%M", time.localtime(info.updated_ms / 1000))
        name = info.name[:_NAME_WIDTH] + (" (in the trash)" if info.deleted_ms is not None else "")
        print(f"{info.id[:12]}  {info.owner_sha256[:6]}  {changed}  {info.num_nodes:>5}  {info.num_turns:>5}  {name}")


def run_export(parsed: argparse.Namespace) -> None:
    """Write a session file and say what is not in it."""
    from app.commands.home import find_home
    from sessions.archive import write_archive
    from sessions.operator import open_for_reading

    with open_for_reading(find_home(parsed)) as operator:
        record = operator.record(operator.find(parsed.session))
        missing = write_archive(record, operator.blobs, parsed.file)
    megabytes = parsed.file.stat().st_size / 1e6
    print(f"{parsed.file}  {len(record['nodes'])} nodes, {len(record['turns'])} turns, {megabytes:.1f} MB")
    for sha256 in missing:
        print(f"not in it: the sound {sha256[:12]}, whose file is missing or damaged (see `stemgen sessions check`)")


def run_import(parsed: argparse.Namespace) -> None:
    """Take in a session file and say what it is called here."""
    from app.commands.home import find_home
    from app.session_files import check_audio, check_record
    from sessions.archive import ArchiveLimits, open_archive
    from sessions.operator import open_for_writing

    with open_for_writing(find_home(parsed)) as operator:
        heir = operator.heir(parsed.beside)
        with open_archive(
            parsed.file, limits=ArchiveLimits(), check_audio=check_audio, check_record=check_record
        ) as archive:
            info = operator.add(heir, archive.record, archive.sounds)
    print(f"{info.id[:12]}  {info.name}")
