"""The hand-over of a finished transaction to the queue, repeated until it is answered; then the 250."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar
from uuid import UUID

from mailkit.errors import NoSpace, PostriderError, Unanswered, is_final
from mailkit.ids import new_id
from mailkit.mail.header import Header
from mailkit.mail.reply import Reply
from mailkit.process.clock import Clock
from mailkit.process.report import report
from mailkit.rpc.batch import Batcher
from queue_worker_api.client import QueueClient
from queue_worker_api.wire import LARGE_BODY, LIST_BYTES, LIST_ITEMS, Origin, Submission, SubmissionAnswer
from smtp_gateway import metrics, replies, trace
from smtp_gateway.journal import Journal
from smtp_gateway.transaction import Transaction

T = TypeVar("T")

#: How long a hand-over that was sent and not answered is repeated (seconds; decision 3).
REPEAT_SECONDS = 60.0


class Acceptor:
    """Hands messages over to the queue in lists; a large message alone."""

    def __init__(self, queue: QueueClient, clock: Clock, helo_name: str, journal: Journal) -> None:
        self._queue = queue
        self._clock = clock
        self._helo_name = helo_name
        self._journal = journal
        self._batch: Batcher[Submission, SubmissionAnswer] = Batcher(
            self._send, most=LIST_ITEMS, most_bytes=LIST_BYTES, size=lambda item: len(item.body)
        )

    async def accept(
        self,
        transaction: Transaction,
        body: bytes,
        header: Header,
        clause: str,
        client_address: str | None,
        origin: Origin,
        *,
        above: bytes = b"",
        added: bytes = b"",
    ) -> Reply:
        """Hand the message over and return the reply to the final dot.

        `header`: the body's. `clause`: the from-clause of Received (`trace.from_clause`). `origin`: for the journal and the queue.
        `above`: fields that precede Received: signatures (RFC 6376 5.6), or Authentication-Results. `added`: fields that follow it (`missing`).
        """
        started = time.perf_counter()
        submission_id = new_id(self._clock.timestamp())
        top = self._top(transaction, body, header, clause, submission_id, above, added)
        size = len(top) + len(body)
        submission = Submission(
            submission_id,
            transaction.mail_from or "",
            list(transaction.targets.values()),
            b"" if size > LARGE_BODY else top + body,
            client_address,
            transaction.relay.mailbox_id if transaction.relay else None,
            transaction.eight_bit or not body.isascii(),
            transaction.smtputf8,
            transaction.sender_target,
            origin,
            transaction.ret,
            transaction.envid,
            transaction.stamp,
            transaction.traceparent,
            transaction.tls,
        )
        try:
            if size > LARGE_BODY:  # in two pieces: a copy of each would be memory that is not counted
                send = partial(self._queue.submit_large, submission, top, body, timeout=30)
                answer = await self._repeat(send)
            else:
                answer = await self._batch.ask(submission)
        except NoSpace:
            return replies.NO_ROOM
        except PostriderError as error:
            report(error, "hand-over")
            return replies.CANNOT if is_final(error) else replies.TRY_LATER
        metrics.HANDOVER.observe(time.perf_counter() - started)
        if answer.status == "no_space":
            return replies.NO_ROOM
        if answer.status != "queued" or answer.queue_id is None:
            return replies.TRY_LATER
        reply = replies.queued(answer.queue_id.hex)
        self._journal.accepted(
            answer.queue_id,
            client_address,
            origin,
            submission.mail_from,
            transaction.recipients,
            size,
            reply,
            transaction.stamp,
        )
        return reply

    async def idle(self) -> None:
        """Wait until no hand-over is under way."""
        await self._batch.idle()

    # -- the hand-over

    async def _send(self, items: Sequence[Submission]) -> Sequence[SubmissionAnswer]:
        metrics.BATCH.observe(len(items))
        return await self._repeat(partial(self._queue.submit, items, timeout=20))

    async def _repeat(self, send: Callable[[], Awaitable[T]]) -> T:
        """Call `send`; if the call is not answered, repeat it with the same ids, to any replica, for up to 60 s.

        An error before any unanswered call is raised at once (451 if nothing was sent).
        """
        end = time.monotonic() + REPEAT_SECONDS
        pause, unanswered = 0.1, False
        while True:
            try:
                return await send()
            except Unanswered:
                unanswered = True
            except PostriderError:
                if not unanswered:
                    raise
            if time.monotonic() + pause > end:
                raise Unanswered("the queue did not answer")
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    def missing(self, header: Header) -> bytes:
        """Return Date and Message-ID as far as the header of a submission lacks them (RFC 6409 8)."""
        return trace.missing(header, self._helo_name, self._clock.now().replace(microsecond=0)).encode()

    def _top(
        self,
        transaction: Transaction,
        body: bytes,
        header: Header,
        clause: str,
        submission_id: UUID,
        above: bytes,
        added: bytes,
    ) -> bytes:
        """Return what precedes the body, to the end of an absent header."""
        now = self._clock.now().replace(microsecond=0)
        received = trace.received(clause, self._helo_name, submission_id, transaction.recipients, now).encode()
        # without a header all of the message is text
        return above + received + added + (b"\r\n" if not header.raw and not body.startswith(b"\r\n") else b"")
