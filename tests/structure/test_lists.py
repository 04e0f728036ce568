"""Every list in every question has a bound, and one item more than it is refused with 400 before anything is done.

The questions are taken from the applications of test_scopes.py, with nothing behind them: what was taken ends in an error of
its own, so 400 says that the bound held (docs/decisions/0048).
"""

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest
from msgspec import inspect

from mailkit.ids import new_id
from mailkit.rpc.app import App
from mailkit.testing.speed import patient
from mailstore_api.wire import MOST_RANGES, SearchQuestion, SortQuestion, ThreadQuestion

from .test_scopes import KEY, ROWS, apps  # noqa: F401

PACK = msgspec.msgpack.Encoder(uuid_format="bytes").encode
#: Framed: a length of 4 octets, the question, octets.
FRAMED = {
    "/v1/messages/append",
    "/v1/messages/append-list",
    "/v1/imports/messages",
    "/v1/submissions/large",
    "/v1/feed",
}
#: Checked by hand below: a tree.
TREES = {(each, "program") for each in (SearchQuestion, SortQuestion, ThreadQuestion)}
Place = tuple[int, ...]


def sample(kind: inspect.Type) -> Any:
    """A value of this type, as it travels."""
    match kind:
        case inspect.StructType(fields=fields):
            return [sample(field.type) for field in fields]
        case inspect.UUIDType():
            return new_id()
        case inspect.BytesType():
            return b""
        case inspect.BoolType():
            return False
        case inspect.IntType() | inspect.FloatType():
            return 1
        case inspect.StrType():
            return "a"
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.TupleType(item_types=items):
            return [sample(item) for item in items]
        case inspect.ListType():
            return []
        case inspect.UnionType(types=types):
            return None if any(isinstance(each, inspect.NoneType) for each in types) else sample(types[0])
    raise AssertionError(f"no sample of {kind}")


def lists(kind: inspect.Type, place: Place = ()) -> Iterator[tuple[Place, str, inspect.ListType, Any]]:
    """(where, the field's name, its type, a value of the whole in which it can be put) for each list in a struct."""
    match kind:
        case inspect.StructType(fields=fields, cls=cls):
            for n, field in enumerate(fields):
                if (cls, field.name) not in TREES:
                    for where, name, found, _ in lists(field.type, (*place, n)):
                        yield where, name or field.name, found, None
        case inspect.ListType(item_type=item):
            yield place, "", kind, None
            for where, name, found, _ in lists(item, (*place, 0)):
                yield where, name, found, None
        case inspect.UnionType(types=types):
            for each in types:
                yield from lists(each, place)


def question_with(kind: inspect.Type, place: Place, count: int) -> Any:
    """A question that is in order but for the list at `place`, which has `count` items."""
    made = sample(kind)
    inside, at = kind, made
    for step, n in enumerate(place):
        if isinstance(inside, inspect.UnionType):
            inside = next(each for each in inside.types if isinstance(each, inspect.ListType))
        if isinstance(inside, inspect.StructType):
            inside = inside.fields[n].type
            if step == len(place) - 1:
                if isinstance(inside, inspect.UnionType):
                    inside = next(each for each in inside.types if isinstance(each, inspect.ListType))
                at[n] = [sample(cast(inspect.ListType, inside).item_type)] * count
            elif isinstance(inside, inspect.ListType):
                at[n] = [sample(inside.item_type)]
            at = at[n]
        else:
            inside = cast(inspect.ListType, inside).item_type
            at = at[n]
    return made


def proven(question: type[Any], made: list[Any]) -> list[Any]:
    """With a good proof of its mailbox, where it has a place for one."""
    from mailkit.rpc.proof import LIFE, ProofKeys

    fields = question.__struct_fields__
    if "proof" in fields and "mailbox_id" in fields:
        import time

        made[fields.index("proof")] = ProofKeys.load(KEY).sign(made[fields.index("mailbox_id")], 1, time.time() + LIFE)
    return made


async def _post(app: App, endpoint: str, token: str, body: bytes) -> tuple[int, bytes]:
    method, path = endpoint.split(" ")
    answered: list[Any] = []
    asked = [{"type": "http.request", "body": body, "more_body": False}]
    headers = [(b"authorization", b"Bearer " + token.encode()), (b"content-length", str(len(body)).encode())]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
    }

    async def receive() -> Any:
        return asked.pop() if asked else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        answered.append(message)

    async with asyncio.timeout(patient(30)):
        await app(cast(Any, scope), receive, cast(Any, send))
    return int(answered[0]["status"]), b"".join(message.get("body", b"") for message in answered[1:])


ENDPOINTS = [(service, endpoint) for service, rows in ROWS.items() for endpoint in rows]


@pytest.mark.parametrize(("service", "endpoint"), ENDPOINTS, ids=[f"{s} {e}" for s, e in ENDPOINTS])
def test_one_item_more_than_the_bound_is_refused(apps: dict[str, App], service: str, endpoint: str) -> None:  # noqa: F811
    app, path = apps[service], endpoint.split(" ")[1]
    question = app.questions[path]
    kind = inspect.type_info(question)
    token = ROWS[service][endpoint][0][0]
    for place, name, found, _ in lists(kind):
        assert found.max_length, f"{question.__name__}.{name} has no bound"
        packed = PACK(proven(question, question_with(kind, place, found.max_length + 1)))
        if path == "/v1/feed":
            with pytest.raises(msgspec.ValidationError, match="length <="):
                msgspec.msgpack.decode(packed, type=question)
            continue
        body = len(packed).to_bytes(4, "big") + packed if path in FRAMED else packed
        status, answer = asyncio.run(_post(app, endpoint, token, body))
        assert status == 400, (question.__name__, name, status, answer)
        detail = msgspec.json.decode(answer)["detail"]
        assert name in detail and f"at most {found.max_length}" in detail


def test_every_question_in_messagepack_is_known(apps: dict[str, App]) -> None:  # noqa: F811
    for service, rows in ROWS.items():
        assert set(apps[service].questions) == {endpoint.split(" ")[1] for endpoint in rows}


@pytest.mark.parametrize(
    "program",
    [
        ["UID", [[2 * n, 2 * n] for n in range(1, MOST_RANGES + 2)]],
        ["OR", *[["NOT", ["UID", [[2 * n, 2 * n] for n in range(1, MOST_RANGES // 3)]]]] * 4],
        ["AND", *[["ALL"]] * 4000],
    ],
    ids=["one set", "four sets", "keys"],
)
def test_a_search_program_has_bounds(apps: dict[str, App], program: list[Any]) -> None:  # noqa: F811
    questions = {
        "search": proven(SearchQuestion, [new_id(), 1, program, 1, b""]),
        "sort": proven(SortQuestion, [new_id(), 1, program, ["DATE"], 1, b""]),
        "thread": proven(ThreadQuestion, [new_id(), 1, program, "REFERENCES", 1, b""]),
    }
    for name, made in questions.items():
        status, _ = asyncio.run(_post(apps["mailstore"], f"POST /v1/messages/{name}", "frontend", PACK(made)))
        assert status == 400, name
