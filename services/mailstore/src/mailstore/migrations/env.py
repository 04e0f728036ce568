"""Entry point of alembic; `mailkit.postgres.migrate` configures the context and runs the revisions."""

from alembic import context

if context.is_offline_mode():
    raise SystemExit("migrations run against a database")
with context.begin_transaction():
    context.run_migrations()
