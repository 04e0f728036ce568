"""The named SQL of the queue, and the calls that need more than one line around it."""

from mailkit.db import Queries

sql = Queries("queue_worker.storage", "queue.sql")
