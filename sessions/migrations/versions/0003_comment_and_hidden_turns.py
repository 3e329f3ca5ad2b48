"""What users write on nodes, and turns that can be taken back.

node.comment       a line of the user's own; text, empty for none. Beside the name, which must stay short enough to read
                   in a tree
turn.deleted_ms    when a turn that no model made (a stem moved in time) was undone; it is hidden like a node in the
                   trash, so that redo finds it
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns; neither needs the tables to be rebuilt."""
    op.add_column("node", sa.Column("comment", sa.String(length=300), server_default="", nullable=False))
    op.add_column("turn", sa.Column("deleted_ms", sa.BigInteger(), nullable=True))
