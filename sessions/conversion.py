"""Rows to values and back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sessions.models import AudioColumns, NodeRow, SessionRow, TurnRow, VariationRow
from sessions.tree import (
    MAX_COMMENT_LENGTH,
    MAX_NAME_LENGTH,
    AudioRef,
    Mixer,
    Node,
    NodeKind,
    NoteTuple,
    SessionInfo,
    Turn,
    Variation,
    WorkState,
)


def to_session(row: SessionRow) -> SessionInfo:
    """Return the value of a session row."""
    return SessionInfo(
        id=row.id,
        name=row.name,
        current_node_id=row.current_node_id,
        created_ms=row.created_ms,
        updated_ms=row.updated_ms,
        deleted_ms=row.deleted_ms,
    )


def to_node(row: NodeRow) -> Node:
    """Return the value of a node row."""
    return Node(
        id=row.id,
        session_id=row.session_id,
        parent_id=row.parent_id,
        kind=NodeKind(row.kind),
        name=row.name,
        is_starred=row.is_starred,
        audio=to_audio(row),
        instrument=row.instrument,
        removed_node_id=row.removed_node_id,
        variation_id=row.variation_id,
        seed=row.seed,
        settings=row.settings,
        model_id=row.model_id,
        fit=row.fit,
        num_notes=row.num_notes,
        analysis=row.analysis,
        mixer=Mixer(**row.mixer),
        created_ms=row.created_ms,
        deleted_ms=row.deleted_ms,
        comment=row.comment,
    )


def to_turn(row: TurnRow, variations: Sequence[Variation]) -> Turn:
    """Return the value of a turn row with its variations."""
    return Turn(
        id=row.id,
        session_id=row.session_id,
        node_id=row.node_id,
        instrument=row.instrument,
        preset=row.preset,
        settings=row.settings,
        model_id=row.model_id,
        first_seed=row.first_seed,
        state=WorkState(row.state),
        error=row.error,
        created_ms=row.created_ms,
        finished_ms=row.finished_ms,
        variations=tuple(variations),
    )


def to_variation(row: VariationRow, picked_node_id: str | None) -> Variation:
    """Return the value of a variation row; `picked_node_id` is the node that picking it made."""
    return Variation(
        id=row.id,
        turn_id=row.turn_id,
        index=row.position,
        seed=row.seed,
        state=WorkState(row.state),
        is_starred=row.is_starred,
        audio=to_audio(row),
        fit=row.fit,
        num_notes=row.num_notes,
        seconds_spent=row.seconds_spent,
        error=row.error,
        mixer=Mixer(**row.mixer),
        picked_node_id=picked_node_id,
    )


def to_audio(row: AudioColumns) -> AudioRef | None:
    """Return the audio that a row names; None if it names none."""
    if (
        row.audio_sha256 is None
        or row.sample_rate_hz is None
        or row.num_audio_samples is None
        or row.num_channels is None
    ):
        return None
    return AudioRef(row.audio_sha256, row.sample_rate_hz, row.num_audio_samples, row.num_channels)


def set_audio(row: AudioColumns, audio: AudioRef | None) -> None:
    """Write an audio reference, or none, into a row."""
    row.audio_sha256 = audio.sha256 if audio else None
    row.sample_rate_hz = audio.sample_rate_hz if audio else None
    row.num_audio_samples = audio.num_audio_samples if audio else None
    row.num_channels = audio.num_channels if audio else None


def to_notes(stored: list[list[Any]] | None) -> tuple[NoteTuple, ...] | None:
    """Return stored notes as tuples; None if none were stored."""
    if stored is None:
        return None
    return tuple(
        (float(start_s), int(pitch), float(duration_s), int(velocity))
        for start_s, pitch, duration_s, velocity in stored
    )


def from_notes(notes: Sequence[NoteTuple] | None) -> list[list[Any]] | None:
    """Return notes as they are stored.

    Raises:
        ValueError: if a time is not finite.
    """
    if notes is None:
        return None
    return json.loads(json.dumps([list(note) for note in notes], allow_nan=False))


def from_mapping(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping as it will be read back: a fresh dict of plain JSON values.

    Raises:
        TypeError: if a value is nothing that JSON knows.
        ValueError: if a number is NaN or infinite, which browsers can't read.
    """
    return json.loads(json.dumps(dict(mapping), allow_nan=False))


def from_mixer(mixer: Mixer) -> dict[str, Any]:
    """Return mixer settings as they are stored.

    Raises:
        ValueError: if a number is NaN or infinite, or `pan` is outside -1..1.
    """
    if not -1 <= mixer.pan <= 1:
        raise ValueError(f"pan must be -1 to 1, got {mixer.pan}")
    return from_mapping(asdict(mixer))


def tidy_name(name: str) -> str:
    """Return a name as it is stored: on one line, without blanks around it, at most `MAX_NAME_LENGTH` characters."""
    return _one_line(name, MAX_NAME_LENGTH)


def tidy_comment(comment: str) -> str:
    """Return a comment as it is stored: like a name, but at most `MAX_COMMENT_LENGTH` characters."""
    return _one_line(comment, MAX_COMMENT_LENGTH)


def _one_line(text: str, max_length: int) -> str:
    # What no database takes, NUL and halves of characters, is left out.
    storable = text.replace("\0", "").encode("utf-8", "ignore").decode()
    return " ".join(storable.split())[:max_length].rstrip()
