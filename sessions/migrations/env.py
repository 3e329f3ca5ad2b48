"""What alembic runs; the connection comes from `upgrade`, which also owns the transaction."""

from alembic import context

from sessions.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite can't alter most things: tables are copied, dropped and renamed.
    render_as_batch=True,
)
context.run_migrations()
