"""Time-ordered 128-bit identifiers (UUID version 7, RFC 9562 5.7); no global sequence (decision 14)."""

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last_ms = 0
_counter = 0


def new_id(now: float | None = None) -> uuid.UUID:
    """Return a new identifier; ids of one process sort in the order in which they were made.

    `now`: in seconds since the epoch. The 12 bits after the milliseconds are a counter within one millisecond.
    """
    return new_ids(1, now)[0]


def new_ids(count: int, now: float | None = None) -> list[uuid.UUID]:
    """Return `count` new identifiers, in order; see `new_id`."""
    global _last_ms, _counter
    ms = int((time.time() if now is None else now) * 1000)
    tails = memoryview(os.urandom(8 * count)).cast("Q")
    made = []
    with _lock:
        if ms <= _last_ms:
            ms = _last_ms
        else:
            _counter = (int.from_bytes(os.urandom(2), "big") & 0x3FF) - 1
        for tail in tails:
            _counter += 1
            if _counter > 0xFFF:
                ms += 1
                _counter = 0
            made.append((ms << 80) | (0x7 << 76) | (_counter << 64) | (0x2 << 62) | (tail & 0x3FFFFFFFFFFFFFFF))
        _last_ms = ms
    return [uuid.UUID(int=each) for each in made]


def id_time(value: uuid.UUID) -> float:
    """Return when `value` was made, in seconds since the epoch (millisecond precision)."""
    return (value.int >> 80) / 1000


def id_floor(now: float) -> uuid.UUID:
    """Return the smallest identifier of the millisecond of `now` (seconds since the epoch), used as a partition bound."""
    return uuid.UUID(int=int(now * 1000) << 80)
