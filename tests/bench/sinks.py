"""A remote host that takes everything and counts it."""

import os
import re
import subprocess
import threading
from types import TracebackType
from typing import Self

from mailkit.testing.sink import Sink
from tests.bench.senders import tool


class CountingSink:
    """Postfix's smtp-sink where it is installed, the tests' own otherwise."""

    def __init__(self, address: str, port: int) -> None:
        self.address, self.port = address, port
        self._seen = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._own: Sink | None = None

    def __enter__(self) -> Self:
        program = tool("smtp-sink")
        if program is None:
            self._own = Sink(self.address, self.port)
            return self
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self._process = subprocess.Popen(
            [program, *user, "-c", f"{self.address}:{self.port}", "1000"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def _read(self) -> None:
        """smtp-sink writes its counters again and again, ended by CR."""
        assert self._process is not None and self._process.stdout is not None
        rest = b""
        while piece := os.read(self._process.stdout.fileno(), 65536):
            rest = (rest + piece)[-400:]
            if found := re.findall(rb"mesg=(\d+)\s*\r", rest):
                self._seen = int(found[-1])

    @property
    def count(self) -> int:
        """Messages so far."""
        return len(self._own.messages) if self._own is not None else self._seen

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own is not None:
            self._own.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
