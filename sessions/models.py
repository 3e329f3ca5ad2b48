"""Tables. Private to this package: callers get values of `sessions.tree`.

`number` is the order in which rows were written: two rows of one millisecond still have an order.
Ids are random, so that knowing one's own tells nothing about others'.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# none_as_null: an absent value is SQL NULL, never the JSON text "null".
JsonObject = JSON(none_as_null=True)
# SQLite counts up only in a column called exactly INTEGER.
RowNumber = BigInteger().with_variant(Integer(), "sqlite")

_STATES = "('queued', 'running', 'done', 'failed', 'cancelled')"


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can refer to it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class AudioColumns:
    """Which file, and its shape; all four are NULL together."""

    audio_sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    sample_rate_hz: Mapped[int | None]
    num_audio_samples: Mapped[int | None] = mapped_column(BigInteger)
    num_channels: Mapped[int | None]


class SessionRow(Base):
    """One session of one owner."""

    __tablename__ = "session"

    number: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    owner_sha256: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[str] = mapped_column(String(120))
    # No foreign key: session and node would then each need the other first. Nodes are never erased singly.
    current_node_id: Mapped[str | None] = mapped_column(String(32))
    created_ms: Mapped[int] = mapped_column(BigInteger)
    updated_ms: Mapped[int] = mapped_column(BigInteger)
    deleted_ms: Mapped[int | None] = mapped_column(BigInteger)


class NodeRow(AudioColumns, Base):
    """One step in a tree."""

    __tablename__ = "node"
    __table_args__ = (
        CheckConstraint("kind IN ('context', 'stem', 'removal')", name="kind_known"),
        CheckConstraint("(kind = 'context') = (parent_id IS NULL)", name="only_contexts_are_roots"),
        CheckConstraint("(kind = 'removal') = (removed_node_id IS NOT NULL)", name="removals_name_a_stem"),
        CheckConstraint("(kind = 'removal') = (audio_sha256 IS NULL)", name="all_but_removals_sound"),
        UniqueConstraint("variation_id"),
    )

    number: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("session.id", ondelete="RESTRICT"), index=True)
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("node.id", ondelete="RESTRICT"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(120))
    is_starred: Mapped[bool]
    instrument: Mapped[str | None] = mapped_column(String(40))
    removed_node_id: Mapped[str | None] = mapped_column(ForeignKey("node.id", ondelete="RESTRICT"))
    # No foreign key: variations belong to turns, which belong to nodes; a fourth arrow would close a ring.
    variation_id: Mapped[str | None] = mapped_column(String(32))
    seed: Mapped[int | None] = mapped_column(BigInteger)
    settings: Mapped[dict[str, Any] | None] = mapped_column(JsonObject)
    model_id: Mapped[str | None] = mapped_column(String(80))
    fit: Mapped[dict[str, Any] | None] = mapped_column(JsonObject)
    # Long, and seldom wanted with the tree: read only when asked for.
    notes: Mapped[list[list[Any]] | None] = mapped_column(JsonObject, deferred=True)
    num_notes: Mapped[int | None]
    analysis: Mapped[dict[str, Any] | None] = mapped_column(JsonObject)
    mixer: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    deleted_ms: Mapped[int | None] = mapped_column(BigInteger)
    comment: Mapped[str] = mapped_column(String(300), default="", server_default="")


class TurnRow(Base):
    """One request for variations."""

    __tablename__ = "turn"
    __table_args__ = (CheckConstraint(f"state IN {_STATES}", name="state_known"),)

    number: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("session.id", ondelete="RESTRICT"), index=True)
    node_id: Mapped[str] = mapped_column(ForeignKey("node.id", ondelete="RESTRICT"), index=True)
    instrument: Mapped[str] = mapped_column(String(40))
    preset: Mapped[str | None] = mapped_column(String(40))
    settings: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    model_id: Mapped[str] = mapped_column(String(80))
    first_seed: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16), index=True)
    error: Mapped[str | None] = mapped_column(String(2000))
    server_id: Mapped[str] = mapped_column(String(32))
    server_pid: Mapped[int]
    created_ms: Mapped[int] = mapped_column(BigInteger)
    finished_ms: Mapped[int | None] = mapped_column(BigInteger)
    deleted_ms: Mapped[int | None] = mapped_column(BigInteger)


class VariationRow(AudioColumns, Base):
    """One stem asked for."""

    __tablename__ = "variation"
    __table_args__ = (
        CheckConstraint(f"state IN {_STATES}", name="state_known"),
        CheckConstraint("(state = 'done') = (audio_sha256 IS NOT NULL)", name="done_means_audio"),
        UniqueConstraint("turn_id", "position"),
    )

    number: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    turn_id: Mapped[str] = mapped_column(ForeignKey("turn.id", ondelete="RESTRICT"))
    position: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    is_starred: Mapped[bool]
    fit: Mapped[dict[str, Any] | None] = mapped_column(JsonObject)
    notes: Mapped[list[list[Any]] | None] = mapped_column(JsonObject, deferred=True)
    num_notes: Mapped[int | None]
    seconds_spent: Mapped[float | None] = mapped_column(Float)
    error: Mapped[str | None] = mapped_column(String(2000))
    mixer: Mapped[dict[str, Any]] = mapped_column(JsonObject)


class ShareRow(Base):
    """One link by which anybody may read a session."""

    __tablename__ = "share"

    number: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("session.id", ondelete="RESTRICT"), index=True)
    token: Mapped[str] = mapped_column(String(40), unique=True)
    created_ms: Mapped[int] = mapped_column(BigInteger)
    revoked_ms: Mapped[int | None] = mapped_column(BigInteger)
