"""What each caller's token may open: every endpoint of the three services with HTTP APIs × every token × own and other mailbox.

The endpoints are taken from the applications; one without a row here fails. Nothing is behind the applications: a request that
passed its checks ends in an error of its own, and only "refused by token or proof" or not is looked at (docs/decisions/0040).
"""

import asyncio
from collections.abc import Iterator
from typing import Any, cast
from uuid import UUID

import msgspec
import pytest
import structlog
from fastapi.routing import APIRoute
from pydantic import SecretStr
from starlette.routing import Route

from auth import service as auth
from auth.config import AuthSettings
from auth.login.passwords import HashQueue, Passwords
from auth_api import wire as auth_wire
from mailkit.ids import new_id
from mailkit.process.clock import SystemClock
from mailkit.process.lifecycle import Lifecycle
from mailkit.process.logs import configure
from mailkit.rpc.app import App
from mailkit.rpc.proof import LIFE
from mailkit.testing.speed import patient
from mailstore import service as mailstore
from mailstore.config import MailstoreSettings
from mailstore_api import wire
from queue_worker import service as queue
from queue_worker.config import QueueSettings
from smtp_gateway import service as gateway
from smtp_gateway.config import GatewaySettings

TOKENS = ("admin", "gateway", "queue", "frontend")
ABSENT = cast(Any, None)
OWN, OTHER = new_id(), new_id()
KEY = SecretStr("k" * 32)

ID = new_id()
#: MessagePack endpoints: who may open each, and a question about a mailbox (None: it names none).
AUTH: dict[str, tuple[tuple[str, ...], Any]] = {
    "POST /v1/senders": (("gateway",), None),
    "POST /v1/recipients": (("gateway",), None),
    "POST /v1/uncharged-recipients": (("gateway", "queue"), None),
    "POST /v1/authors": (("gateway",), None),
    "POST /v1/bounce-signatures": (("queue",), None),
    "POST /v1/signatures": (("gateway",), None),
    "POST /v1/logins": (("gateway", "frontend"), None),
    "POST /v1/old-host-logins": (("gateway", "frontend"), None),
    "POST /v1/scram-offers": (("gateway", "frontend"), None),
    "POST /v1/scram-logins": (("gateway", "frontend"), None),
    "POST /v1/token-logins": (("gateway", "frontend"), None),
    "POST /v1/undo-checks": (("frontend",), None),
    # A proof that is not good ends the session; see services/auth/tests/test_auth_proof.py.
    "POST /v1/sessions": (("gateway", "frontend"), None),
}
MAILSTORE: dict[str, tuple[tuple[str, ...], Any]] = {
    "POST /v1/room": (("gateway",), None),
    "POST /v1/filings": (("queue",), None),
    "POST /v1/references": (("queue",), None),
    "POST /v1/folders/list": (("frontend",), wire.MailboxQuestion),
    **{
        f"POST /v1/folders/{verb}": (("frontend",), lambda box, proof: wire.FolderChange(box, "a", ID, proof=proof))
        for verb in ("create", "delete", "rename", "subscribe", "unsubscribe")
    },
    "POST /v1/folders/create-special": (
        ("frontend",),
        lambda box, proof: wire.SpecialFolder(box, "a", "\\Archive", ID, proof=proof),
    ),
    "POST /v1/folders/open": (("frontend",), lambda box, proof: wire.OpenFolder(box, "a", True, proof=proof)),
    "POST /v1/folders/changes": (("frontend",), lambda box, proof: wire.ChangesQuestion(box, 1, 0, proof=proof)),
    "POST /v1/folders/modseqs": (("frontend",), lambda box, proof: wire.ModseqQuestion(box, 1, 0, proof=proof)),
    "POST /v1/metadata/read": (
        ("frontend",),
        lambda box, proof: wire.MetadataQuestion(box, "INBOX", ["/private/a"], proof=proof),
    ),
    "POST /v1/metadata/state": (("frontend",), lambda box, proof: wire.MetadataStateQuestion(box, proof=proof)),
    "POST /v1/metadata/change": (
        ("frontend",),
        lambda box, proof: wire.MetadataChange(box, "INBOX", [wire.Annotation("/private/a", b"")], ID, proof=proof),
    ),
    "POST /v1/folders/days": (("frontend",), lambda box, proof: wire.DaysQuestion(box, 1, 0, proof=proof)),
    "POST /v1/messages/order": (("frontend",), lambda box, proof: wire.OrderQuestion(box, 1, "DATE", 0, proof=proof)),
    "POST /v1/quota": (("frontend",), lambda box, proof: wire.QuotaQuestion(box, 1, 1, proof=proof)),
    "POST /v1/messages/fetch": (("frontend",), lambda box, proof: wire.FetchQuestion(box, 1, [(1, 1)], proof=proof)),
    "POST /v1/messages/store": (
        ("frontend",),
        lambda box, proof: wire.StoreQuestion(box, 1, [(1, 1)], "add", [], ID, proof=proof),
    ),
    "POST /v1/messages/store-unchanged": (
        ("frontend",),
        lambda box, proof: wire.ConditionalStore(box, 1, [(1, 1)], "add", [], 1, ID, proof=proof),
    ),
    "POST /v1/messages/copy": (
        ("frontend",),
        lambda box, proof: wire.CopyQuestion(box, 1, [(1, 1)], "a", False, 1, 1, ID, proof=proof),
    ),
    "POST /v1/messages/expunge": (("frontend",), lambda box, proof: wire.ExpungeQuestion(box, 1, ID, proof=proof)),
    "POST /v1/messages/search": (("frontend",), lambda box, proof: wire.SearchQuestion(box, 1, ["ALL"], proof=proof)),
    "POST /v1/messages/sort": (
        ("frontend",),
        lambda box, proof: wire.SortQuestion(box, 1, ["ALL"], ["DATE"], proof=proof),
    ),
    "POST /v1/messages/thread": (
        ("frontend",),
        lambda box, proof: wire.ThreadQuestion(box, 1, ["ALL"], "REFERENCES", proof=proof),
    ),
    "PUT /v1/messages/append": (
        ("frontend",),
        lambda box, proof: wire.Append(box, "a", [], None, 1, 1, ID, proof=proof),
    ),
    "PUT /v1/messages/append-list": (
        ("frontend",),
        lambda box, proof: wire.AppendList(box, "a", [wire.AppendedMessage(0)], 1, 1, ID, proof=proof),
    ),
    "POST /v1/exports/folders": (("admin",), None),
    "POST /v1/exports/messages": (("admin",), None),
    "POST /v1/imports/folder": (("admin",), None),
    "POST /v1/imports/known": (("admin",), None),
    "PUT /v1/imports/messages": (("admin",), None),
    "POST /v1/maildrop/open": (("frontend",), lambda box, proof: wire.OpenMaildrop(box, ID, proof=proof)),
    "POST /v1/maildrop/read": (("frontend",), lambda box, proof: wire.ReadMaildrop(box, 1, 1, proof=proof)),
    "POST /v1/maildrop/ahead": (("frontend",), lambda box, proof: wire.ReadAhead(box, 1, b"\1\0\0\0", proof=proof)),
    "POST /v1/maildrop/close": (("frontend",), lambda box, proof: wire.CloseMaildrop(box, ID, proof=proof)),
    # Lists, in which an item without a good proof is answered False, or not watched: services/mailstore/tests.
    "POST /v1/maildrop/renew": (("frontend",), None),
    "POST /v1/folders/changed": (("frontend",), None),
    "POST /v1/feed": (("frontend",), None),
}
QUEUE: dict[str, tuple[tuple[str, ...], Any]] = {
    "POST /v1/submissions": (("gateway",), None),
    "PUT /v1/submissions/large": (("gateway",), None),
    "POST /v1/refusals": (("gateway",), None),
}
#: The operators' endpoints: all for admin alone.
REST = {
    "auth": {
        "GET /v1/domains",
        "POST /v1/domains",
        "GET /v1/domains/{name}",
        "POST /v1/domains/{name}/close",
        "DELETE /v1/domains/{name}",
        "PUT /v1/domains/{name}/catchall",
        "PUT /v1/domains/{name}/tags",
        "GET /v1/moves",
        "GET /v1/domains/{name}/move",
        "PUT /v1/domains/{name}/move",
        "POST /v1/domains/{name}/move/switch",
        "POST /v1/domains/{name}/move/back",
        "DELETE /v1/domains/{name}/move",
        "GET /v1/plans",
        "POST /v1/plans",
        "GET /v1/plans/{name}",
        "PATCH /v1/plans/{name}",
        "DELETE /v1/plans/{name}",
        "GET /v1/customers",
        "POST /v1/customers",
        "GET /v1/customers/{name}",
        "PUT /v1/customers/{name}",
        "DELETE /v1/customers/{name}",
        "GET /v1/customers/{name}/domains",
        "PUT /v1/domains/{name}/customer",
        "PUT /v1/domains/{name}/identity",
        "GET /v1/domains/{name}/dns",
        "GET /v1/domains/{name}/dkim",
        "POST /v1/domains/{name}/dkim",
        "POST /v1/domains/{name}/dkim/check",
        "POST /v1/domains/{name}/dkim/rotate",
        "DELETE /v1/domains/{name}/dkim",
        "GET /v1/domains/{name}/mailboxes",
        "POST /v1/mailboxes",
        "GET /v1/mailboxes/{address}",
        "PUT /v1/mailboxes/{address}/password",
        "PUT /v1/mailboxes/{address}/quota",
        "POST /v1/mailboxes/{address}/disable",
        "POST /v1/mailboxes/{address}/enable",
        "POST /v1/mailboxes/{address}/rename",
        "DELETE /v1/mailboxes/{address}",
        "GET /v1/mailboxes/{address}/app-passwords",
        "POST /v1/mailboxes/{address}/app-passwords",
        "DELETE /v1/mailboxes/{address}/app-passwords/{id}",
        "PUT /v1/mailboxes/{address}/main-password",
        "GET /v1/forwards",
        "POST /v1/forwards",
        "PUT /v1/forwards/{address}",
        "DELETE /v1/forwards/{address}",
        "GET /v1/badmailfrom",
        "POST /v1/badmailfrom",
        "DELETE /v1/badmailfrom/{entry}",
        "GET /v1/grants",
        "GET /v1/caller",
        "GET /v1/audit",
        "GET /v1/tokens",
        "POST /v1/tokens",
        "POST /v1/tokens/{token_id}/rotate",
        "DELETE /v1/tokens/{token_id}",
        "GET /v1/trace",
        "DELETE /v1/grants",
        "DELETE /v1/grants/{grant_id}",
    },
    "mailstore": {
        "GET /v1/mailboxes/{mailbox_id}",
        "DELETE /v1/mailboxes/{mailbox_id}",
        "GET /v1/mailboxes/{mailbox_id}/deleted",
        "POST /v1/mailboxes/{mailbox_id}/undelete",
        "POST /v1/check",
        "GET /v1/trace",
    },
    "queue-worker": {
        "GET /v1/queue",
        "GET /v1/trace",
        "GET /v1/trace/refusals",
        "POST /v1/simulate",
        "GET /v1/routes",
        "PUT /v1/routes",
        "POST /v1/routes/end",
        "GET /v1/suppressions",
        "DELETE /v1/suppressions",
        "GET /v1/queue/{queue_id}",
        "POST /v1/queue/actions",
        "GET /v1/queue/shaping",
        "GET /v1/queue/top",
        "GET /v1/queue/pauses",
        "PUT /v1/queue/pauses",
        "POST /v1/queue/pauses/end",
    },
}
ROWS = {"auth": AUTH, "mailstore": MAILSTORE, "queue-worker": QUEUE}


@pytest.fixture(scope="module")
def apps() -> Iterator[dict[str, App]]:
    """The three applications, each caller's token being its name."""
    before = structlog.get_config()
    configure("scopes", "critical")  # nothing stands behind them: each request that is let in is a logged bug
    named = {name: SecretStr(name) for name in TOKENS}
    clock, life, hashes = SystemClock(), Lifecycle(), HashQueue(1)
    auth_settings = AuthSettings(
        admin_token=named["admin"],
        token_gateway_auth=named["gateway"],
        token_frontend_auth=named["frontend"],
        token_queue_auth=named["queue"],
        proof_key=KEY,
    )
    store_settings = MailstoreSettings(
        admin_token=named["admin"],
        token_gateway_mailstore=named["gateway"],
        token_queue_mailstore=named["queue"],
        token_frontend_mailstore=named["frontend"],
        proof_key=KEY,
    )
    queue_settings = QueueSettings(admin_token=named["admin"], token_gateway_queue=named["gateway"])
    made = {
        "auth": auth.web(auth_settings, life, auth.assemble(auth_settings, ABSENT, ABSENT, clock, Passwords(), hashes)),
        "mailstore": mailstore.web(store_settings, life, mailstore.assemble(store_settings, ABSENT, ABSENT, clock)),
        "queue-worker": queue.web(
            queue_settings, life, queue.assemble(queue_settings, ABSENT, ABSENT, clock, OWN, ABSENT, ABSENT, ABSENT)
        ),
    }
    yield cast(dict[str, App], made)
    hashes.close()
    structlog.configure(**before)


def endpoints(app: App) -> set[str]:
    """`METHOD /path` of everything under /v1."""
    found = {f"POST {path}" for path in app.endpoints}
    for route in _routes(app.routes):
        found |= {f"{method} {route.path}" for method in (route.methods or ()) - {"HEAD"}}
    return {endpoint for endpoint in found if endpoint.split(" ")[1].startswith("/v1")}


def _routes(routes: Any) -> Iterator[Route | APIRoute]:
    for route in routes:
        if isinstance(route, Route | APIRoute):
            yield route
        elif hasattr(route, "original_router"):  # FastAPI keeps an included router whole
            yield from _routes(route.original_router.routes)


async def opened(app: App, endpoint: str, token: str | None, body: bytes) -> bool:
    """Whether a request passes what looks at tokens and proofs. Raises TimeoutError when it is never answered."""
    method, path = endpoint.split(" ")
    path = path.replace("{mailbox_id}", str(OWN)).replace("{queue_id}", str(OWN)).replace("{grant_id}", str(OWN))
    status = 0
    answered = asyncio.Event()
    unread = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return unread.pop() if unread else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            answered.set()

    headers = [
        (b"content-type", b"application/json" if body == b"{}" else b"application/msgpack"),
        (b"content-length", str(len(body)).encode()),
    ]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    task = asyncio.ensure_future(app(scope, receive, send))
    try:
        async with asyncio.timeout(patient(30)):
            await asyncio.wait({task, asyncio.ensure_future(answered.wait())}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert status, endpoint
    return status not in (401, 403, 428)


def question(make: Any, box: UUID, proof: bytes, endpoint: str) -> bytes:
    if make is None:
        return b"\x90"
    data = msgspec.msgpack.Encoder(uuid_format="bytes").encode(make(box, proof=proof))
    return len(data).to_bytes(4, "big") + data if endpoint.startswith("PUT") else data


def test_every_endpoint_has_a_row(apps: dict[str, App]) -> None:
    for service, app in apps.items():
        assert endpoints(app) == set(ROWS[service]) | REST[service], service


@pytest.mark.parametrize("service", list(ROWS))
async def test_a_token_opens_what_its_row_says_and_nothing_else(apps: dict[str, App], service: str) -> None:
    now = SystemClock().timestamp()
    proof = MailstoreSettings(proof_key=KEY).proofs.sign(OWN, 1, now + LIFE)
    over = MailstoreSettings(proof_key=KEY).proofs.sign(OWN, 1, now - 1)
    for endpoint, (callers, make) in ROWS[service].items():
        for token in (*TOKENS, "guessed", "", None):
            asked = question(make, OWN, proof, endpoint)
            assert await opened(apps[service], endpoint, token, asked) == (token in callers), (endpoint, token)
        if make is not None:
            for box, shown in ((OTHER, proof), (OWN, b""), (OWN, over), (OWN, proof[:-1] + b"\0\0")):
                asked = question(make, box, shown, endpoint)
                assert not await opened(apps[service], endpoint, "frontend", asked), (endpoint, box == OWN)
    for endpoint in REST[service]:
        for token in (*TOKENS, "guessed", "", None):
            assert await opened(apps[service], endpoint, token, b"{}") == (token == "admin"), (endpoint, token)


async def test_simulations_have_a_token_of_their_own() -> None:
    """smtp-gateway faces the Internet: it does not hold the operators' token, and this one opens nothing else."""
    tokens = {name: SecretStr(name) for name in TOKENS}
    settings = GatewaySettings(
        token_gateway_auth=tokens["gateway"],
        token_gateway_mailstore=tokens["gateway"],
        token_gateway_queue=tokens["gateway"],
        token_simulate_gateway=SecretStr("simulate"),
    )
    app = gateway.web(settings, Lifecycle(), ABSENT)
    assert endpoints(app) == {"POST /v1/simulate"}
    for token in (*TOKENS, "simulate", "guessed", "", None):
        assert await opened(app, "POST /v1/simulate", token, b"{}") == (token == "simulate"), token
    assert not await opened(gateway.web(GatewaySettings(), Lifecycle(), ABSENT), "POST /v1/simulate", "", b"{}")


def test_everything_that_names_a_mailbox_to_the_front_end_carries_a_proof() -> None:
    """By the types: whatever has a mailbox's id and is not another service's question or an answer."""
    others = {wire.RoomQuestion, wire.Filing, wire.ImportFolder, wire.KnownQuestion, wire.ImportList}
    others |= {wire.ExportQuestion, wire.ExportMessages}  # of operators, as imports are
    named = {
        kind
        for kind in vars(wire).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and "mailbox_id" in kind.__struct_fields__
    }
    assert {kind.__name__ for kind in named - others if "proof" not in kind.__struct_fields__} == set()
    assert "proof" in auth_wire.SessionQuestion.__struct_fields__
