"""Memory that a burst needed goes back to the system."""

import subprocess
import sys

from mailkit.testing.speed import patient

#: 200 MB in blocks of 100 KB, each allocated by a thread and not the last in its arena; then all but one in fifty is freed.
BURST = """
import asyncio, ctypes, threading
from mailkit.process import memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 // 1_000_000

def burst():
    blocks = [libc.malloc(100_000) for _ in range(2000)]
    for block in blocks:
        ctypes.memset(block, 1, 100_000)
    print(resident())
    for number, block in enumerate(blocks):
        if number % 50 != 49:
            libc.free(block)

memory.use_one_arena()
print(resident())
thread = threading.Thread(target=burst)
thread.start()
thread.join()
asyncio.run(memory.trim())
print(resident())
"""


def test_what_threads_freed_is_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BURST], capture_output=True, text=True, timeout=patient(30), check=True
    )
    before, during, after = map(int, done.stdout.split())
    assert during - before > 190
    assert after - before < 30
