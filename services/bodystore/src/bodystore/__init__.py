"""The bytes of messages, written once and referred to by queue and mailboxes (decision 4)."""

from bodystore.store import WATCHED, BodyGone, BodyStore

__all__ = ["WATCHED", "BodyGone", "BodyStore"]
