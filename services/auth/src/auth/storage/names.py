"""The schema's name and the bounds in it, for the code that serves: it needs no SQLAlchemy."""

SCHEMA = "auth"

MEGABYTE = 1024 * 1024
#: P2: what a mailbox may be limited to, in bytes.
QUOTA_LEAST = 25 * MEGABYTE
QUOTA_MOST = 2048 * MEGABYTE
