"""The schema's name and its bounds, separate so that the service does not import SQLAlchemy."""

SCHEMA = "auth"

MEGABYTE = 1024 * 1024
#: The smallest and the largest quota (P2), in bytes.
QUOTA_LEAST = 25 * MEGABYTE
QUOTA_MOST = 2048 * MEGABYTE
