"""The bytes of messages, written once and referred to by queue and mailboxes (decision 4)."""

from bodystore.store import BodyGone, BodyStore

__all__ = ["BodyGone", "BodyStore"]
