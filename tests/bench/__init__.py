"""The bench: `python -m tests.bench`."""
