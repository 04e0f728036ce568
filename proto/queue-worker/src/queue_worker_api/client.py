"""The client of the queue's endpoints."""

from collections.abc import Sequence

from mailkit.rpc.client import ServiceClient
from queue_worker_api import wire


class QueueClient(ServiceClient):
    """The client with which smtp-gateway hands messages over.

    Raises the errors of `mailkit.rpc.client.ServiceClient.call`; after Unanswered the same submissions may be repeated to
    any replica.
    """

    upstream = "queue-worker"

    async def submit(
        self, items: Sequence[wire.Submission], *, timeout: float | None = None
    ) -> list[wire.SubmissionAnswer]:
        """Hand over a list (at most LIST_ITEMS and LIST_BYTES); return one answer per item, in order."""
        return (
            await self.call(
                "/v1/submissions", wire.SubmissionList(list(items)), wire.SubmissionAnswers, timeout=timeout
            )
        ).items

    async def submit_large(
        self, head: wire.Submission, *body: bytes, timeout: float | None = None
    ) -> wire.SubmissionAnswer:
        """Hand over one message whose body, in pieces, is over LARGE_BODY; `head.body` is empty."""
        return await self.call_framed(
            "/v1/submissions/large", head, *body, answer=wire.SubmissionAnswer, timeout=timeout
        )

    async def record_refusals(self, items: Sequence[wire.Refusal], *, timeout: float | None = None) -> None:
        """Record what was refused (at most MOST_REFUSALS); a list that was not answered may be sent again."""
        await self.call("/v1/refusals", wire.RefusalList(list(items)), wire.RefusalsRecorded, timeout=timeout)
