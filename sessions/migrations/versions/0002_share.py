"""Links by which anybody may read a session.

share
    session_id     what may be read
    token          unguessable, and kept as it is: its owner wants to see the link again. Whoever reads the database
                   has the sounds beside it anyway, and this token changes nothing
    revoked_ms     when the link was taken back; the row stays, so that an old link never comes to life again
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the table of links."""
    op.create_table(
        "share",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("session_id", sa.String(length=32), nullable=False),
        sa.Column("token", sa.String(length=40), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="fk_share_session_id", ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("number", name="pk_share"),
        sa.UniqueConstraint("token", name="uq_share_token"),
    )
    op.create_index("ix_share_session_id", "share", ["session_id"], unique=False)
