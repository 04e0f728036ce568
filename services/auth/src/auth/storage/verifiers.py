"""SCRAM verifiers, which are kept beside password hashes (docs/decisions/0061)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from auth.storage.directory import PATIENCE
from mailkit.mail.scram_keys import ScramKeys
from mailkit.postgres.pool import Queries, translated
from mailkit.process.clock import Clock

queries = Queries("auth.storage", "verifiers.sql")


@dataclass(frozen=True, slots=True)
class Verifier:
    """What is kept of a password: enough to check a proof, not to make one."""

    salt: bytes
    iterations: int
    keys: ScramKeys


class VerifierRows:
    """The statements of `verifiers.sql`."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def secret(self) -> bytes:
        """Return the secret that all replicas share; it was made by the migration. Raises Unavailable."""
        async with translated():
            found: bytes = await self._pool.fetchval(queries.secret, timeout=PATIENCE)
        return found

    async def keep(self, made: Sequence[tuple[UUID, int, Verifier]]) -> None:
        """Keep verifiers: (mailbox, credential version of the password, verifier). Raises Unavailable."""
        async with translated():
            await self._pool.execute(
                queries.keep,
                [mailbox for mailbox, _, _ in made],
                [version for _, version, _ in made],
                [one.salt for _, _, one in made],
                [one.iterations for _, _, one in made],
                [one.keys.stored for _, _, one in made],
                [one.keys.server for _, _, one in made],
                self._clock.now(),
                timeout=PATIENCE,
            )
