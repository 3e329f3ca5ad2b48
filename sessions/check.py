"""What is wrong with a studio's data, and what to do about it."""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from sessions.blobs import BlobState, BlobStore
from sessions.database import Database
from sessions.disk import unfit_for_database
from sessions.home import DATABASE_NAME, DataHome
from sessions.maintenance_store import ORPHAN_GRACE_S
from sessions.models import NodeRow, TurnRow, VariationRow

_LITTLE_BYTES = 500_000_000
_MANY_BYTES = 64_000_000


class Severity(StrEnum):
    """How bad something is."""

    BROKEN = "broken"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        severity: broken, if something was lost or will be.
        what: what it is.
        advice: what to do.
    """

    severity: Severity
    what: str
    advice: str


def check_database(database: Database) -> Iterator[Finding]:
    """Look at the database alone."""
    try:
        with database.reader.connect() as connection:
            damage = database.damage(connection)
            num_broken = database.num_broken_references(connection)
    except DBAPIError as error:
        damage, num_broken = [str(error.orig)], 0
    if damage:
        yield _broken(f"The database is damaged: {'; '.join(damage)}.", database.repair_advice)
    if num_broken:
        yield _broken(f"The database has {num_broken} references that lead nowhere.", database.repair_advice)


def check_sounds(database: Database, blobs: BlobStore) -> Iterator[Finding]:
    """Hold every sound that a row names against its hash, where it lies.

    Raises:
        PlaceError: if the address where the sounds lie can't be read.
    """
    nodes = select(NodeRow.audio_sha256, NodeRow.session_id).where(NodeRow.audio_sha256.is_not(None))
    variations = (
        select(VariationRow.audio_sha256, TurnRow.session_id)
        .join(TurnRow, VariationRow.turn_id == TurnRow.id)
        .where(VariationRow.audio_sha256.is_not(None))
    )
    owners: dict[str, str] = {}
    with database.reader.connect() as connection:
        for query in (nodes, variations):
            owners |= {str(sha256): str(session_id) for sha256, session_id in connection.execute(query)}
    for sha256, session_id in sorted(owners.items()):
        state = blobs.verify(sha256)
        if state is not BlobState.PRESENT:
            yield _broken(
                f"The sound {sha256[:12]} of session {session_id[:12]} is {state.value}.",
                "Copy audio/ from a backup over this one, or run `stemgen sessions check --regenerate`, which makes "
                "takes again and puts those back that come out the same.",
            )
    now_s = time.time()
    old = [e for e in blobs.entries() if e.sha256 not in owners and now_s - e.modified_s > ORPHAN_GRACE_S]
    if old:
        yield _note(
            f"{len(old)} files that nothing uses take {sum(e.num_bytes for e in old) / 1e6:.1f} MB.",
            "The server sweeps them when it starts and every few hours; `stemgen sessions gc` does it now.",
        )


def check_disk(home: DataHome) -> Iterator[Finding]:
    """Look at the disk that the data folder lies on."""
    free_bytes = shutil.disk_usage(home.folder).free
    if free_bytes < _LITTLE_BYTES:
        yield _note(f"The disk has only {free_bytes / 1e6:.0f} MB left.", "Make room before it is full.")
    unfit = None if home.database_url else unfit_for_database(home.folder)
    if unfit is not None:
        yield _note(
            f"The data folder {home.folder} {unfit}, where a database of SQLite can be damaged.",
            "Keep the data on a local disk, and copies of it there (STEMGEN_SNAPSHOT_URL), or the rows in Postgres "
            "(STEMGEN_DATABASE_URL).",
        )


def check_surroundings(home: DataHome) -> Iterator[Finding]:
    """Look at the disk, and at SQLite itself where it is used."""
    yield from check_disk(home)
    if home.database_url:
        return
    wal = home.folder / f"{DATABASE_NAME}-wal"
    if wal.is_file() and wal.stat().st_size > _MANY_BYTES:
        yield _note(
            f"The write-ahead log has {wal.stat().st_size / 1e6:.0f} MB.",
            "Restart the server; if it grows again, report it.",
        )
    if has_wal_reset_fault(sqlite3.sqlite_version_info):
        yield _note(
            f"SQLite {sqlite3.sqlite_version} can damage a database that two connections write to.",
            "The studio keeps to one connection, so this is harmless, as long as no other program writes to "
            f"{DATABASE_NAME}. Newer than 3.51.2 is better.",
        )


def _broken(what: str, advice: str) -> Finding:
    return Finding(Severity.BROKEN, what, advice)


def _note(what: str, advice: str) -> Finding:
    return Finding(Severity.NOTE, what, advice)


def has_wal_reset_fault(version: tuple[int, int, int]) -> bool:
    """Return whether a version of SQLite has the WAL-reset fault: 3.7.0 to 3.51.2, but for two that were mended."""
    is_mended = version[:2] in {(3, 44), (3, 50)} and version >= {44: (3, 44, 6), 50: (3, 50, 7)}[version[1]]
    return (3, 7, 0) <= version <= (3, 51, 2) and not is_mended
