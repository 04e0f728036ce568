"""The octets of messages, written once and referred to by the queue and by mailboxes (decision 4)."""

from bodystore.store import WATCHED, BodyGone, BodyStore

__all__ = ["WATCHED", "BodyGone", "BodyStore"]
