"""Results of reading short records, kept: most mail comes from few domains. Bounded in number and in what each may take."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

T = TypeVar("T")

#: Octets of a record whose result is kept, and how many results are, of each function.
SHORT, MOST = 1024, 1024


def known(read: Callable[..., T]) -> Callable[..., T]:
    """Decorate a pure function of the octets of a record, and of arguments that can be hashed; errors are not kept."""
    remembered = lru_cache(maxsize=MOST)(read)

    @wraps(read)
    def short(octets: bytes, *more: Any) -> T:
        return remembered(octets, *more) if len(octets) <= SHORT else read(octets, *more)

    return short
