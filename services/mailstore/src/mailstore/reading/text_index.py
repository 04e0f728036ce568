"""Building of the text index (docs/decisions/0078): in the background, of the folders whose texts are searched.

A search that meets messages without a signature asks for those of its folder. What is asked for is kept in memory only: after
a restart, the next search asks again.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from bodystore import BodyStore
from mailkit.errors import OverLimit, Unavailable
from mailkit.postgres.pool import translated
from mailkit.process.report import report
from mailstore import metrics
from mailstore.mime.signature import signature
from mailstore.reading.octets import Octets, grouped
from mailstore.storage.fetch import StoredMessage
from mailstore.storage.signatures import SignatureRows, Signed

Folder = tuple[UUID, int]

#: Messages of one step; folders take turns.
SLICE = 100
#: Folders that wait; more are not noted.
MOST_FOLDERS = 1000
#: Time of rest after a step, as a multiple of the step's own.
REST = 1.0


class TextIndex:
    """The folders to be indexed."""

    def __init__(self, rows: SignatureRows, bodies: BodyStore, octets: Octets) -> None:
        self._rows = rows
        self._bodies = bodies
        self._octets = octets
        self._due: dict[Folder, int] = {}
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "text-index")

    def want(self, folder: Folder, first: int) -> None:
        """Have the messages of a folder from the UID `first` on indexed."""
        if folder in self._due or len(self._due) < MOST_FOLDERS:
            self._due[folder] = min(first, self._due.get(folder, first))
            self._wake.set()

    async def run(self) -> None:
        """Index what is asked for, without end, at most half of the time."""
        while True:
            await self._wake.wait()
            started = time.monotonic()
            try:
                await self.step()
            except (Unavailable, OverLimit):
                pass  # the folder's next search asks again
            except Exception as error:
                report(error, "text_index")
            await asyncio.sleep(REST * (time.monotonic() - started))

    async def step(self) -> None:
        """Index the next SLICE messages of the folder that has waited longest; one that fails is forgotten."""
        if not self._due:
            self._wake.clear()
            return
        folder = next(iter(self._due))
        first = self._due.pop(folder)
        rows = await self._rows.unsigned(*folder, first, SLICE)
        loop = asyncio.get_running_loop()
        for group in grouped(rows):
            size = sum(row.size for row in group)
            async with translated(), self._octets.of(folder[0], min(size, self._octets.limit)):
                bodies = await self._bodies.read_many([row.body_id for row in group])
                signed = await loop.run_in_executor(self._thread, _signed, group, bodies)
                del bodies
            await self._rows.sign(*folder, signed)
            metrics.SIGNED.inc(len(signed))
        if len(rows) == SLICE:
            self.want(folder, rows[-1].uid + 1)


def _signed(group: Sequence[StoredMessage], bodies: Mapping[UUID, bytes]) -> list[Signed]:
    """The signatures of messages; of one whose body is gone there is none, and it is searched as before."""
    found = []
    for row in group:
        time.sleep(0)  # the event loop takes the interpreter's lock in between
        body = bodies.get(row.body_id)
        found.append((row.uid, None if body is None else signature(body, row.parts, row.prefix)))
    return found
