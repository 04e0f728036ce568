"""The endpoint by which smtp-gateway records what it refused, for the trace (docs/decisions/0069)."""

from mailkit.rpc.app import App, add_endpoint
from queue_worker.dmarc.counts import DmarcCounts
from queue_worker.storage.refusals import RefusalRows
from queue_worker_api.wire import RefusalList, RefusalsRecorded


def add(app: App, refusals: RefusalRows, dmarc: DmarcCounts) -> None:
    """Mount the endpoint on `app`."""

    async def record(question: RefusalList) -> RefusalsRecorded:
        for each in await refusals.record(question.items):
            dmarc.refused(each)
        return RefusalsRecorded()

    add_endpoint(app, "/v1/refusals", RefusalList, record, "gateway")
