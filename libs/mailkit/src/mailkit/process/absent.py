"""Imports without what a library uses only if it finds it installed, and no service needs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def absent(*names: str) -> Iterator[None]:
    """Have imports within find the packages `names` not installed. A package that has been imported before stays.

    A module that is None in `sys.modules` is not found (Python's reference, "The module cache").
    """
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
