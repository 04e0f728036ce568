"""Reads what a vpopmail host holds. `VpopmailHost` in host.py is where to begin; docs/decisions/0104 gives the reasons."""
