"""Check of the proof of login, without which the front end gets access to no mailbox (docs/decisions/0040)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from mailkit.errors import Unproven
from mailkit.process.clock import Clock
from mailkit.rpc.authority import REFUSED
from mailkit.rpc.proof import ProofKeys

A = TypeVar("A")


class Proven:
    """Checker of the proofs in questions."""

    def __init__(self, keys: ProofKeys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def require(self, question: Any) -> None:
        """Require a valid proof for the mailbox of `question`. Raises Unproven."""
        try:
            self._keys.check(question.mailbox_id, question.proof, self._clock.timestamp())
        except Unproven:
            REFUSED.labels("unproven").inc()
            raise

    def holds(self, mailbox_id: UUID, proof: bytes) -> bool:
        """Return whether the proof is valid; for lists, in which a bad item fails alone."""
        try:
            self._keys.check(mailbox_id, proof, self._clock.timestamp())
        except Unproven:
            REFUSED.labels("unproven").inc()
            return False
        return True

    async def each(self, items: Sequence[Any], answer: Callable[[Sequence[Any]], Awaitable[list[bool]]]) -> list[bool]:
        """Return what `answer` says of the items with a valid proof; False for the others."""
        proven = [self.holds(item.mailbox_id, item.proof) for item in items]
        answers = iter(await answer([item for item, good in zip(items, proven, strict=True) if good]))
        return [good and next(answers) for good in proven]

    def first(self, answer: Callable[[Any], Awaitable[A]]) -> Callable[[Any], Awaitable[A]]:
        """Wrap `answer` so that it is called only for a question with a valid proof."""

        async def proven(question: Any) -> A:
            self.require(question)
            return await answer(question)

        return proven
