"""The named SQL statements of the queue."""

from mailkit.postgres.pool import Queries

sql = Queries("queue_worker.storage", "queue.sql")
