"""The named SQL statements of the queue."""

from mailkit.db import Queries

sql = Queries("queue_worker.storage", "queue.sql")
