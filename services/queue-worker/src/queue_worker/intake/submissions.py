"""The endpoints of hand-overs: lists of messages, and large messages one by one."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from mailkit.errors import BadRequest, PostriderError
from mailkit.rpc.app import MSGPACK, App, add_endpoint
from mailkit.rpc.decode import decoded
from mailkit.rpc.problems import problem
from queue_worker.intake.group_commit import Intake
from queue_worker_api.wire import Submission, SubmissionAnswers, SubmissionList

_head = msgspec.msgpack.Decoder(Submission)
_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode


def add(app: App, intake: Intake, most_bytes: int) -> None:
    """Mount the endpoints on `app`. `most_bytes`: the largest message in octets; 1 MiB is added for what accompanies it."""

    async def submissions(question: SubmissionList) -> SubmissionAnswers:
        if wrong := [n for n, item in enumerate(question.items) if _wrong(item)]:
            raise BadRequest(_wrong(question.items[wrong[0]]), items=wrong)
        return SubmissionAnswers(await intake.take(question.items))

    async def large(request: Request) -> Response:
        try:
            raw = await request.body()
            size = int.from_bytes(raw[:4], "big")
            head = decoded(_head, raw[4 : 4 + size], Submission)
            item = msgspec.structs.replace(head, body=raw[4 + size :])
            if wrong := _wrong(item):
                raise BadRequest(wrong)
            return Response(_encode((await intake.take([item]))[0]), media_type=MSGPACK)
        except PostriderError as error:
            return problem(error.slug, error.status_code, str(error))

    add_endpoint(app, "/v1/submissions", SubmissionList, submissions, "gateway")
    app.authority.allow("/v1/submissions/large", "gateway", most=most_bytes + 1024 * 1024)
    app.questions["/v1/submissions/large"] = Submission
    app.add_route("/v1/submissions/large", large, methods=["PUT"], include_in_schema=False)


def _wrong(item: Submission) -> str:
    """Return why `item` is refused; empty if it is not."""
    if not item.recipients:
        return "a submission has at least one recipient"
    if not item.body:
        return "a submission has a body"
    return ""
