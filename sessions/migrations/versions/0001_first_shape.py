"""First shape: sessions, their trees of nodes, turns and variations.

Why each column exists. In every table `number` keeps the order of writing and `id` is random, so that an id tells
nothing about others'. Times are Unix milliseconds, as SQLite drops time zones.

session
    owner_sha256       whose it is; only the hash of the secret, so that a leaked database opens no session
    name               what people see in the list
    current_node_id    which node is open, so that a reload comes back to it
    updated_ms         orders the list, last changed first
    deleted_ms         the trash, so that every deletion can be undone
node
    session_id, parent_id      the tree
    kind                       context, stem or removal: what it does to the mix of its parent
    name, is_starred           the user's own order in the tree
    audio_sha256               the file, outside the database; the next three save opening it:
    sample_rate_hz, num_audio_samples, num_channels
    removed_node_id            which stem a removal takes out
    variation_id               where a stem came from; unique, so that picking twice makes one node
    instrument, seed, settings, model_id    make the same stem again
    fit                        the measured offset, level and harmony that the card shows
    notes, num_notes           for MIDI export; the count is read without the notes
    analysis                   tempo and key of a context, as the user put them right
    mixer                      gain, pan, mute, solo and nudge, so that a mix sounds the same after a reload
    deleted_ms                 the trash
turn
    node_id                    what the stems were made on top of
    instrument, preset, settings, model_id, first_seed    "reuse settings"
    state, error               progress that survives a reload; the error is fit to show
    server_id, server_pid      which run of the server took it, to find what a crash interrupted
    finished_ms                with created_ms: how long people waited
variation
    turn_id, position          the cards A, B, C, D of a turn
    seed                       each can be made again alone
    state, error               each is queued, cancelled and retried by itself
    is_starred, mixer          set before picking, carried over by it
    seconds_spent              for honest estimates
    audio, fit, notes          as of a node
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the four tables, parents first."""
    _create_session()
    _create_node()
    _create_turn()
    _create_variation()


def _create_session() -> None:
    op.create_table(
        "session",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("owner_sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("current_node_id", sa.String(length=32), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("deleted_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_session"),
        sa.UniqueConstraint("id", name="uq_session_id"),
    )
    op.create_index("ix_session_owner_sha256", "session", ["owner_sha256"], unique=False)


def _create_node() -> None:
    op.create_table(
        "node",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("session_id", sa.String(length=32), nullable=False),
        sa.Column("parent_id", sa.String(length=32), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("is_starred", sa.Boolean(), nullable=False),
        sa.Column("instrument", sa.String(length=40), nullable=True),
        sa.Column("removed_node_id", sa.String(length=32), nullable=True),
        sa.Column("variation_id", sa.String(length=32), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("settings", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("model_id", sa.String(length=80), nullable=True),
        sa.Column("fit", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("notes", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("num_notes", sa.Integer(), nullable=True),
        sa.Column("analysis", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("mixer", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("deleted_ms", sa.BigInteger(), nullable=True),
        sa.Column("audio_sha256", sa.String(length=64), nullable=True),
        sa.Column("sample_rate_hz", sa.Integer(), nullable=True),
        sa.Column("num_audio_samples", sa.BigInteger(), nullable=True),
        sa.Column("num_channels", sa.Integer(), nullable=True),
        sa.CheckConstraint("(kind = 'context') = (parent_id IS NULL)", name=op.f("ck_node_only_contexts_are_roots")),
        sa.CheckConstraint("(kind = 'removal') = (audio_sha256 IS NULL)", name=op.f("ck_node_all_but_removals_sound")),
        sa.CheckConstraint(
            "(kind = 'removal') = (removed_node_id IS NOT NULL)", name=op.f("ck_node_removals_name_a_stem")
        ),
        sa.CheckConstraint("kind IN ('context', 'stem', 'removal')", name=op.f("ck_node_kind_known")),
        sa.ForeignKeyConstraint(["parent_id"], ["node.id"], name="fk_node_parent_id", ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["removed_node_id"], ["node.id"], name="fk_node_removed_node_id", ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="fk_node_session_id", ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("number", name="pk_node"),
        sa.UniqueConstraint("id", name="uq_node_id"),
        sa.UniqueConstraint("variation_id", name="uq_node_variation_id"),
    )
    op.create_index("ix_node_audio_sha256", "node", ["audio_sha256"], unique=False)
    op.create_index("ix_node_parent_id", "node", ["parent_id"], unique=False)
    op.create_index("ix_node_session_id", "node", ["session_id"], unique=False)


def _create_turn() -> None:
    op.create_table(
        "turn",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("session_id", sa.String(length=32), nullable=False),
        sa.Column("node_id", sa.String(length=32), nullable=False),
        sa.Column("instrument", sa.String(length=40), nullable=False),
        sa.Column("preset", sa.String(length=40), nullable=True),
        sa.Column("settings", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("model_id", sa.String(length=80), nullable=False),
        sa.Column("first_seed", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", sa.String(length=2000), nullable=True),
        sa.Column("server_id", sa.String(length=32), nullable=False),
        sa.Column("server_pid", sa.Integer(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("finished_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_turn_state_known")
        ),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name="fk_turn_node_id", ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="fk_turn_session_id", ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("number", name="pk_turn"),
        sa.UniqueConstraint("id", name="uq_turn_id"),
    )
    op.create_index("ix_turn_node_id", "turn", ["node_id"], unique=False)
    op.create_index("ix_turn_session_id", "turn", ["session_id"], unique=False)
    op.create_index("ix_turn_state", "turn", ["state"], unique=False)


def _create_variation() -> None:
    op.create_table(
        "variation",
        sa.Column("number", _ROW_NUMBER, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("turn_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("is_starred", sa.Boolean(), nullable=False),
        sa.Column("fit", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("notes", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("num_notes", sa.Integer(), nullable=True),
        sa.Column("seconds_spent", sa.Float(), nullable=True),
        sa.Column("error", sa.String(length=2000), nullable=True),
        sa.Column("mixer", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("audio_sha256", sa.String(length=64), nullable=True),
        sa.Column("sample_rate_hz", sa.Integer(), nullable=True),
        sa.Column("num_audio_samples", sa.BigInteger(), nullable=True),
        sa.Column("num_channels", sa.Integer(), nullable=True),
        sa.CheckConstraint("(state = 'done') = (audio_sha256 IS NOT NULL)", name=op.f("ck_variation_done_means_audio")),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_variation_state_known")
        ),
        sa.ForeignKeyConstraint(["turn_id"], ["turn.id"], name="fk_variation_turn_id", ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("number", name="pk_variation"),
        sa.UniqueConstraint("id", name="uq_variation_id"),
        sa.UniqueConstraint("turn_id", "position", name="uq_variation_turn_id"),
    )
    op.create_index("ix_variation_audio_sha256", "variation", ["audio_sha256"], unique=False)
