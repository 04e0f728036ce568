"""Rendering of new messages (decision 7), so that the event loop is not blocked."""

import asyncio
import time
from collections.abc import Mapping
from uuid import UUID

from mailstore.mime import Rendered, render

#: Bodies of more octets than this together are rendered in a thread.
OFF_LOOP = 512 * 1024
#: Seconds that smaller ones are rendered before the event loop runs other tasks.
TURN = 0.01


async def render_one(body: bytes) -> Rendered:
    """Render one body."""
    return await asyncio.to_thread(render, body) if len(body) > OFF_LOOP else render(body)


async def render_all(bodies: Mapping[UUID, bytes]) -> dict[UUID, Rendered]:
    """Render bodies by id."""
    if sum(map(len, bodies.values())) > OFF_LOOP:
        return await asyncio.to_thread(_render, bodies)
    views, turn_ends = {}, time.monotonic() + TURN
    for body_id, body in bodies.items():
        views[body_id] = render(body)
        if time.monotonic() > turn_ends:  # one header may take as long as a hundred usual ones
            await asyncio.sleep(0)
            turn_ends = time.monotonic() + TURN
    return views


def _render(bodies: Mapping[UUID, bytes]) -> dict[UUID, Rendered]:
    return {body_id: render(body) for body_id, body in bodies.items()}
