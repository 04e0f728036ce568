"""Bounds of a mailbox's quota (P2), in octets."""

QUOTA_LEAST = 25 << 20
QUOTA_MOST = 2 << 30
