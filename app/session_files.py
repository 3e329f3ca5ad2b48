"""A session as a file: out to another machine, and in from one, which may mean harm."""

import math
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from sessions.archive import ArchiveLimits, open_archive, write_archive
from sessions.errors import ArchiveError
from sessions.local_blobs import saying_what_disks_say
from sessions.store import SessionStore
from sessions.tree import AudioRef, SessionInfo
from stemgen_core.analysis.fit import FitReport
from stemgen_core.audio import DecodingLimits, read_audio
from stemgen_core.errors import StemGenError
from stemgen_core.instruments import find_instrument

FILE_SUFFIX = ".stemgen.zip"
_MAX_TEXT_LENGTH = 500


def export_session(store: SessionStore, owner_token: str, session_id: str, path: Path) -> tuple[str, ...]:
    """Write a session as one file; it may be in the trash.

    Args:
        store: the sessions.
        owner_token: whose it is.
        session_id: which one.
        path: of the file, in a folder that is there; `file_name` suggests how to call it.

    Returns:
        Hashes of sounds that are not in it, because their files are missing or damaged here.

    Raises:
        SessionNotFoundError: if this owner has no such session.
        StorageFullError: if the disk is full.
        DiskError: if the disk can't be written.
    """
    record = store.session_record(owner_token, session_id)
    with saying_what_disks_say():
        return write_archive(record, store.blobs, path)


def import_session(
    store: SessionStore, owner_token: str, path: Path, *, limits: ArchiveLimits | None = None
) -> SessionInfo:
    """Take in a session that `export_session` wrote, here or elsewhere; nothing is kept of one that is not in order.

    It becomes a new session of this owner's, however often the file is brought.

    Args:
        store: the sessions.
        owner_token: whose it becomes.
        path: of the file; nothing in it is believed.
        limits: what it may take; None for the usual.

    Raises:
        ArchiveError: if it is no session, damaged, too large, or holds what can't be shown or played.
        StorageFullError: if the disk has no room to unpack it or to keep its sounds.
        DiskError: if the disk can't be read or written.
    """
    unpacked = open_archive(path, limits=limits or ArchiveLimits(), check_audio=check_audio, check_record=check_record)
    with saying_what_disks_say(), unpacked as archive:
        return store.add_session(owner_token, archive.record, archive.sounds)


def file_name(session: SessionInfo) -> str:
    """Return what to call a session's file: letters, digits and dashes only, so that it is a name everywhere."""
    words = re.sub(r"[^0-9A-Za-z]+", "-", session.name).strip("-")[:60].strip("-")
    return f"{words or 'session'}{FILE_SUFFIX}"


def check_audio(path: Path, expected: AudioRef) -> None:
    """Decode a sound where a hostile one does no harm, and hold it against what is said of it.

    Raises:
        ArchiveError: if it can't be decoded, or has another shape.
    """
    # A take may be silent and short; only what is brought as a context may not.
    limits = DecodingLimits(min_duration_s=0.0, silence_level=0.0)
    try:
        found = read_audio(path, limits=limits)
    except StemGenError as error:
        raise ArchiveError(f"A sound in this session file can't be used: {error}") from error
    shape = (found.sample_rate_hz, found.num_audio_samples, found.num_channels)
    if shape != (expected.sample_rate_hz, expected.num_audio_samples, expected.num_channels):
        raise ArchiveError("This session file is damaged: a sound in it is not as long as it says.")


def check_record(record: Mapping[str, Any]) -> None:
    """Refuse what the page could not show.

    Raises:
        ArchiveError: if an instrument is unknown, or measures and settings are no plain values.
    """
    for row in (*record["nodes"], *record["turns"]):
        _check_instrument(row.get("instrument"))
        _check_plain(row.get("settings"), "settings")
        _check_plain(row.get("analysis"), "analysis")
    for row in (*record["nodes"], *record["variations"]):
        _check_fit(row.get("fit"))


def _check_instrument(name: object) -> None:
    if name is None:
        return
    try:
        find_instrument(str(name))
    except StemGenError as error:
        raise ArchiveError(f"This session file was made by another StemGen: {error}") from error


def _check_fit(fit: object) -> None:
    _check_plain(fit, "measures")
    if not isinstance(fit, dict):
        return
    measured = {field.name for field in fields(FitReport)} - {"verdict", "is_silent"} | {"listening_score"}
    for name in measured & set(fit):
        if fit[name] is not None and not _is_number(fit[name]):
            raise ArchiveError(f"This session file is damaged: {name} of a sound is no number.")
    if not isinstance(fit.get("judge"), str | None):
        raise ArchiveError("This session file is damaged: who judged a sound is no name.")


def _check_plain(values: object, what: str) -> None:
    """Let through None, or an object of numbers, short texts, and lists of those."""
    if values is None:
        return
    if not isinstance(values, dict) or not all(_is_plain(value, depth=3) for value in values.values()):
        raise ArchiveError(f"This session file is damaged: its {what} can't be read.")


def _is_plain(value: object, depth: int) -> bool:
    if isinstance(value, list):
        return depth > 0 and len(value) <= 10_000 and all(_is_plain(one, depth - 1) for one in value)
    if isinstance(value, dict):
        return depth > 0 and len(value) <= 1_000 and all(_is_plain(one, depth - 1) for one in value.values())
    if isinstance(value, str):
        return len(value) <= _MAX_TEXT_LENGTH
    return value is None or isinstance(value, bool) or _is_number(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
