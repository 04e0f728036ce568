"""Memory that is free goes back to the system: what a burst needed is not kept until the next one (decision 135)."""

import ctypes

#: Seconds between two calls of `trim`.
TRIM_EVERY = 10.0
#: Of mallopt(3).
_M_ARENA_MAX = -8

_libc = ctypes.CDLL(None)


def use_one_arena() -> None:
    """Let all threads allocate in one arena: `trim` returns the free pages of others in part only. Call it without threads.

    glibc makes one for each thread that waits for another's; here threads wait for the interpreter.
    """
    if hasattr(_libc, "mallopt"):  # musl has neither
        _libc.mallopt(_M_ARENA_MAX, 1)


async def trim() -> None:
    """Return the free pages of malloc's arena to the system; by itself malloc returns those at its end only."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
