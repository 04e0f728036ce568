"""What queue-worker's own part can do, on a Postgres of its own: `make bench-queue`, and the scripts `rates` and `courier`."""
