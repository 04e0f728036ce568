"""Worst input for the HTTP endpoints: from callers without a token, from callers with one, and for operators' records."""

from collections.abc import Callable
from typing import Any

import msgspec

from auth_api import wire as auth
from mailkit.ids import new_id
from mailstore_api import wire as mailstore
from queue_worker_api import wire as queue
from tests.cost.bench import PACK, QUOTA, Bench
from tests.cost.case import KB, MB, Case, Play
from tests.cost.product import NO_INPUT

#: An address of 400 characters and a name of as many.
ADDRESS = "a" * 64 + "@" + "b" * 60 + ".c" * 135 + ".test"
NAME = "n" * 400
MailstoreQuestion = Callable[[Bench, int], Any]


def anonymous(service: str, method: str, path: str) -> Play:
    """A body of n octets `[` with a token that is none: refused before it is read."""

    def play(bench: Bench, n: int) -> bytes:
        status, answer = bench.http(service, method, path, [b"[" * MB] * (n // MB), json=True)
        assert not status or 400 <= status < 500 or (status == 200 and path in NO_INPUT), answer
        return answer

    return play


def asked(service: str, caller: str, path: str, make: Callable[[Bench, int], Any], *, method: str = "POST") -> Play:
    """One MessagePack question as a caller that may ask it."""

    def play(bench: Bench, n: int) -> bytes:
        made = make(bench, n)
        body = made if isinstance(made, bytes) else PACK(bench.proven(made))
        return bench.http(service, method, path, body, caller=caller)[1]

    return play


def operated(service: str, method: str, path: str, make: Callable[[int], Any] = lambda n: None) -> Play:
    """One JSON question of an operator's; octets go as they are. Simulations of the gateway have a token of their own."""
    caller = "simulate" if service == "smtp-gateway" else "admin"

    def play(bench: Bench, n: int) -> bytes:
        content = make(n)
        body = content if isinstance(content, bytes) else b"" if content is None else msgspec.json.encode(content)
        return bench.http(service, method, path.replace("{long}", NAME), body, caller=caller, json=True)[1]

    return play


def _framed(make: Callable[[Bench, int], tuple[Any, bytes]]) -> Callable[[Bench, int], bytes]:
    def framed(bench: Bench, n: int) -> bytes:
        head, body = make(bench, n)
        packed = PACK(bench.proven(head))
        return len(packed).to_bytes(4, "big") + packed + body

    return framed


def _ranges(n: int) -> mailstore.Ranges:
    return [(2 * at + 1, 2 * at + 1) for at in range(n)]


def _change(bench: Bench, n: int) -> mailstore.FolderChange:
    return mailstore.FolderChange(bench.mailbox_id(bench.full), "/".join(["a"] * n), new_id(), "/".join(["b"] * n))


def _search(bench: Bench, n: int, node: Callable[[int], list[Any]]) -> mailstore.SearchQuestion:
    return mailstore.SearchQuestion(bench.mailbox_id(bench.full), 1, node(n))


def _nested(n: int) -> Any:
    """NOT of NOT … of ALL, written by hand: the encoder of the test's own process has a limit, too."""
    return msgspec.Raw(b"\x92\xa3NOT" * n + b"\x91\xa3ALL")


def _submission(bench: Bench, n: int, body: bytes) -> queue.Submission:
    target = queue.SubmissionRecipient(
        bench.taker.address, bench.taker.address, bench.mailbox_id(bench.taker), QUOTA, 1
    )
    return queue.Submission(new_id(), ADDRESS, [target] * n, body)


#: (service, caller, method, path, size, question): a list where the endpoint takes lists, and what else is long in it.
_QUESTIONS: list[tuple[str, str, str, str, int, Callable[[Bench, int], Any]]] = [
    (
        "auth",
        "gateway",
        "POST",
        "/v1/senders",
        100,
        lambda b, n: auth.SenderList([auth.SenderQuestion(ADDRESS, "192.0.2.1", None)] * n),
    ),
    (
        "auth",
        "gateway",
        "POST",
        "/v1/recipients",
        100,
        lambda b, n: auth.RecipientList([auth.RecipientQuestion(ADDRESS, ADDRESS, "192.0.2.1", None)] * n),
    ),
    (
        "auth",
        "gateway",
        "POST",
        "/v1/authors",
        100,
        lambda b, n: auth.AuthorList([auth.AuthorQuestion([ADDRESS], "192.0.2.1", None)] * n),
    ),
    (
        "auth",
        "gateway",
        "POST",
        "/v1/signatures",
        100,
        lambda b, n: auth.SignatureList(
            [auth.SignatureQuestion(ADDRESS, "192.0.2.1", None, [auth.Digest("a", b"x" * 32)])] * n
        ),
    ),
    (
        "auth",
        "queue",
        "POST",
        "/v1/bounce-signatures",
        100,
        lambda b, n: auth.BounceSignatureList([auth.BounceSignatureQuestion([auth.Digest("a", b"x" * 32)])] * n),
    ),
    (
        "auth",
        "gateway",
        "POST",
        "/v1/uncharged-recipients",
        100,
        lambda b, n: auth.RecipientList([auth.RecipientQuestion(ADDRESS, ADDRESS, "192.0.2.1", None)] * n),
    ),
    (
        "auth",
        "frontend",
        "POST",
        "/v1/logins",
        20,
        lambda b, n: auth.LoginList([auth.Login(new_id(), "imap", ADDRESS, NAME, "192.0.2.1") for _ in range(n)]),
    ),
    (
        "auth",
        "frontend",
        "POST",
        "/v1/old-host-logins",
        20,
        lambda b, n: auth.LoginList([auth.Login(new_id(), "imap", ADDRESS, NAME, "192.0.2.1") for _ in range(n)]),
    ),
    (
        "auth",
        "frontend",
        "POST",
        "/v1/scram-offers",
        100,
        lambda b, n: auth.ScramQuestionList([auth.ScramQuestion(NAME, NAME) for _ in range(n)]),
    ),
    (
        "auth",
        "frontend",
        "POST",
        "/v1/scram-logins",
        20,
        lambda b, n: auth.ScramLoginList(
            [auth.ScramLogin(new_id(), "imap", ADDRESS, "192.0.2.1", NAME, NAME, NAME, NAME.encode()) for _ in range(n)]
        ),
    ),
    (
        "auth",
        "frontend",
        "POST",
        "/v1/token-logins",
        20,
        lambda b, n: auth.TokenLoginList(
            [auth.TokenLogin(new_id(), "imap", ADDRESS, NAME * 30, "192.0.2.1") for _ in range(n)]
        ),
    ),
    ("auth", "frontend", "POST", "/v1/undo-checks", 100, lambda b, n: auth.UndoCheckList([new_id() for _ in range(n)])),
    (
        "auth",
        "frontend",
        "POST",
        "/v1/sessions",
        50_000,
        lambda b, n: auth.SessionList([auth.SessionQuestion(new_id(), 1) for _ in range(n)]),
    ),
    (
        "queue-worker",
        "gateway",
        "POST",
        "/v1/submissions",
        100,
        lambda b, n: queue.SubmissionList([_submission(b, 1, b"a: b\r\n\r\n" + b"x" * 64 * KB) for _ in range(n)]),
    ),
    (
        "queue-worker",
        "gateway",
        "POST",
        "/v1/refusals",
        queue.MOST_REFUSALS,
        lambda b, n: queue.RefusalList(
            [queue.Refusal(new_id(), "S10", recipients=[ADDRESS] * queue.MOST_NAMED) for _ in range(n)]
        ),
    ),
    (
        "queue-worker",
        "gateway",
        "PUT",
        "/v1/submissions/large",
        MB,
        _framed(lambda b, n: (_submission(b, 1000, b""), b"a: b\r\n\r\n" + b"x" * n)),
    ),
    (
        "mailstore",
        "gateway",
        "POST",
        "/v1/room",
        100,
        lambda b, n: mailstore.RoomList([mailstore.RoomQuestion(new_id(), 1, QUOTA, 1) for _ in range(n)]),
    ),
    (
        "mailstore",
        "queue",
        "POST",
        "/v1/filings",
        1000,
        lambda b, n: mailstore.FilingList(
            [
                mailstore.Filing(new_id(), b.mailbox_id(b.taker), b.body_id, b"a: b\r\n" * 100, 0.0, QUOTA, 1)
                for _ in range(n)
            ]
        ),
    ),
    (
        "mailstore",
        "queue",
        "POST",
        "/v1/references",
        1000,
        lambda b, n: mailstore.ReferenceList([new_id() for _ in range(n)]),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/folders/list",
        1,
        lambda b, n: mailstore.MailboxQuestion(b.mailbox_id(b.many)),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/folders/modseqs",
        10_000,
        lambda b, n: mailstore.ModseqQuestion(b.mailbox_id(b.full), 1, 0, _ranges(n), True),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/folders/days",
        1,
        lambda b, n: mailstore.DaysQuestion(b.mailbox_id(b.full), 1, 0),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/messages/order",
        1,
        lambda b, n: mailstore.OrderQuestion(b.mailbox_id(b.full), 1, "-DATE", 0),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/messages/store-unchanged",
        10_000,
        lambda b, n: mailstore.ConditionalStore(b.mailbox_id(b.full), 1, _ranges(n), "add", ["\\Seen"], 1, new_id()),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/quota",
        1,
        lambda b, n: mailstore.QuotaQuestion(b.mailbox_id(b.many), QUOTA, 1),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/metadata/read",
        100,
        lambda b, n: mailstore.MetadataQuestion(b.mailbox_id(b.many), "INBOX", ["/private"] * n, -1),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/metadata/state",
        1,
        lambda b, n: mailstore.MetadataStateQuestion(b.mailbox_id(b.many)),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/metadata/change",
        100,
        lambda b, n: mailstore.MetadataChange(
            b.mailbox_id(b.taker),
            "INBOX",
            [mailstore.Annotation(f"/private/{at}", b"x" * 1024) for at in range(n)],
            new_id(),
        ),
    ),
    ("mailstore", "frontend", "POST", "/v1/folders/create", 200, _change),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/folders/create-special",
        200,
        lambda b, n: mailstore.SpecialFolder(b.mailbox_id(b.full), "/".join(["a"] * n), "\\Archive", new_id()),
    ),
    ("mailstore", "frontend", "POST", "/v1/folders/delete", 200, _change),
    ("mailstore", "frontend", "POST", "/v1/folders/rename", 200, _change),
    ("mailstore", "frontend", "POST", "/v1/folders/subscribe", 200, _change),
    ("mailstore", "frontend", "POST", "/v1/folders/unsubscribe", 200, _change),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/folders/open",
        400,
        lambda b, n: mailstore.OpenFolder(b.mailbox_id(b.full), "INBOX", True),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/folders/changes",
        1,
        lambda b, n: mailstore.ChangesQuestion(b.mailbox_id(b.full), 1, 0),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/messages/store",
        10_000,
        lambda b, n: mailstore.StoreQuestion(
            b.mailbox_id(b.plain), 1, _ranges(n), "add", ["\\Seen"] * min(n, 1000), new_id()
        ),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/messages/copy",
        10_000,
        lambda b, n: mailstore.CopyQuestion(b.mailbox_id(b.plain), 1, _ranges(n), NAME, False, QUOTA, 1, new_id()),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/messages/expunge",
        10_000,
        lambda b, n: mailstore.ExpungeQuestion(b.mailbox_id(b.full), 1, new_id(), _ranges(n)),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/messages/search",
        10_000,
        lambda b, n: _search(b, n, lambda n: ["AND", *[["UID", [[1, 4294967295]]]] * n]),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/messages/sort",
        10_000,
        lambda b, n: mailstore.SortQuestion(b.mailbox_id(b.full), 1, ["ALL"], ["SUBJECT", "-DATE"] * n),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/messages/thread",
        10_000,
        lambda b, n: mailstore.ThreadQuestion(b.mailbox_id(b.full), 1, ["AND", *[["ALL"]] * n], "REFERENCES"),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/messages/fetch",
        10_000,
        lambda b, n: mailstore.FetchQuestion(b.mailbox_id(b.plain), 1, _ranges(n), ["ENVELOPE"], []),
    ),
    (
        "mailstore",
        "frontend",
        "PUT",
        "/v1/messages/append",
        MB,
        _framed(
            lambda b, n: (
                mailstore.Append(b.mailbox_id(b.taker), NAME, ["\\Seen"], None, QUOTA, 1, new_id()),
                b"a: b\r\n\r\n" + b"x" * n,
            )
        ),
    ),
    (
        "mailstore",
        "admin",
        "POST",
        "/v1/exports/folders",
        1,
        lambda b, n: mailstore.ExportQuestion(b.mailbox_id(b.full)),
    ),
    (
        "mailstore",
        "admin",
        "POST",
        "/v1/exports/messages",
        1,
        lambda b, n: mailstore.ExportMessages(b.mailbox_id(b.full), 1),
    ),
    (
        "mailstore",
        "admin",
        "POST",
        "/v1/imports/folder",
        400,
        lambda b, n: mailstore.ImportFolder(b.mailbox_id(b.taker), ("a/" * n)[: min(n, 39)].strip("/") + "x" * n),
    ),
    (
        "mailstore",
        "admin",
        "POST",
        "/v1/imports/known",
        10_000,
        lambda b, n: mailstore.KnownQuestion(b.mailbox_id(b.taker), b"k" * 16 * n),
    ),
    (
        "mailstore",
        "admin",
        "PUT",
        "/v1/imports/messages",
        100,
        _framed(
            lambda b, n: (
                mailstore.ImportList(
                    b.mailbox_id(b.taker),
                    1,
                    1,
                    [mailstore.ImportedMessage(1000, new_id().bytes, 1.0, flags=["\\Seen"]) for _ in range(n)],
                ),
                b"a: b\r\n\r\n".ljust(1000, b"x") * n,
            )
        ),
    ),
    (
        "mailstore",
        "frontend",
        "PUT",
        "/v1/messages/append-list",
        100,
        _framed(
            lambda b, n: (
                mailstore.AppendList(
                    b.mailbox_id(b.taker), NAME, [mailstore.AppendedMessage(1000)] * n, QUOTA, 1, new_id()
                ),
                b"a: b\r\n\r\n".ljust(1000, b"x") * n,
            )
        ),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/maildrop/open",
        1,
        lambda b, n: mailstore.OpenMaildrop(b.mailbox_id(b.full), new_id()),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/folders/changed",
        1000,
        lambda b, n: mailstore.FollowedFolders(
            [b.proven(mailstore.FollowedFolder(b.mailbox_id(b.full), 1, at)) for at in range(n)]
        ),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/maildrop/renew",
        1000,
        lambda b, n: mailstore.RenewMaildrops(
            [b.proven(mailstore.MaildropLease(new_id(), new_id())) for _ in range(n)]
        ),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/maildrop/ahead",
        100,
        lambda b, n: mailstore.ReadAhead(
            b.mailbox_id(b.full), 1, b"".join(at.to_bytes(4, "little") for at in range(1, n + 1))
        ),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/maildrop/close",
        100_000,
        lambda b, n: mailstore.CloseMaildrop(b.mailbox_id(b.plain), new_id(), b"\1\0\0\0" * n),
    ),
    (
        "mailstore",
        "frontend",
        "POST",
        "/v1/maildrop/read",
        1,
        lambda b, n: mailstore.ReadMaildrop(b.mailbox_id(b.full), 1, 1, 2**31),
    ),
]
_PROGRAMS: list[tuple[str, Callable[[int], list[Any]]]] = [
    ("NOT of NOT", _nested),
    ("texts", lambda n: ["AND", *[["TEXT", f"x{at}"] for at in range(n)]]),
    ("OR of OR", lambda n: ["OR", ["ALL"], _nested(n)]),
    ("a range list", lambda n: ["UID", [[at * 2, at * 2] for at in range(n)]]),
]
#: (service, method, path as the route says, path to ask, content by size)
_RECORDS: list[tuple[str, str, str, str, Callable[[int], Any]]] = [
    ("auth", "GET", "/v1/domains", "", lambda n: None),
    ("auth", "POST", "/v1/domains", "", lambda n: {"name": "a." * n}),
    ("auth", "GET", "/v1/domains/{name}", "/v1/domains/{long}", lambda n: None),
    ("auth", "POST", "/v1/domains/{name}/close", "/v1/domains/{long}/close", lambda n: None),
    ("auth", "DELETE", "/v1/domains/{name}", "/v1/domains/{long}", lambda n: None),
    ("auth", "GET", "/v1/domains/{name}/dns", "/v1/domains/{long}/dns?sending={long}", lambda n: None),
    ("auth", "GET", "/v1/domains/{name}/dkim", "/v1/domains/{long}/dkim", lambda n: None),
    ("auth", "POST", "/v1/domains/{name}/dkim", "/v1/domains/{long}/dkim", lambda n: None),
    ("auth", "POST", "/v1/domains/{name}/dkim/check", "/v1/domains/{long}/dkim/check", lambda n: None),
    ("auth", "POST", "/v1/domains/{name}/dkim/rotate", "/v1/domains/{long}/dkim/rotate", lambda n: None),
    ("auth", "DELETE", "/v1/domains/{name}/dkim", "/v1/domains/{long}/dkim", lambda n: None),
    ("auth", "PUT", "/v1/domains/{name}/tags", "/v1/domains/{long}/tags", lambda n: {"tags": "x" * n}),
    ("auth", "PUT", "/v1/domains/{name}/identity", "/v1/domains/{long}/identity", lambda n: {"identity": "x" * n}),
    (
        "auth",
        "PUT",
        "/v1/domains/{name}/catchall",
        "/v1/domains/{long}/catchall",
        lambda n: {"kind": "forward", "targets": ["a@b.test"] * n},
    ),
    ("auth", "GET", "/v1/domains/{name}/mailboxes", "/v1/domains/{long}/mailboxes", lambda n: None),
    ("auth", "POST", "/v1/mailboxes", "", lambda n: {"address": "a@" + "b." * n + "test", "password": "x" * n}),
    ("auth", "GET", "/v1/mailboxes/{address}", "/v1/mailboxes/{long}", lambda n: None),
    (
        "auth",
        "PUT",
        "/v1/mailboxes/{address}/password",
        "/v1/mailboxes/{long}/password",
        lambda n: {"password": "x" * n},
    ),
    (
        "auth",
        "PUT",
        "/v1/mailboxes/{address}/quota",
        "/v1/mailboxes/{long}/quota",
        lambda n: b'{"quota_limit": ' + b"9" * n + b"}",
    ),
    ("auth", "POST", "/v1/mailboxes/{address}/disable", "/v1/mailboxes/{long}/disable", lambda n: {"removal": "x" * n}),
    ("auth", "POST", "/v1/mailboxes/{address}/enable", "/v1/mailboxes/{long}/enable", lambda n: None),
    (
        "auth",
        "POST",
        "/v1/mailboxes/{address}/rename",
        "/v1/mailboxes/{long}/rename",
        lambda n: {"to": "a@" + "b." * n},
    ),
    ("auth", "DELETE", "/v1/mailboxes/{address}", "/v1/mailboxes/{long}", lambda n: None),
    ("auth", "GET", "/v1/mailboxes/{address}/app-passwords", "/v1/mailboxes/{long}/app-passwords", lambda n: None),
    (
        "auth",
        "POST",
        "/v1/mailboxes/{address}/app-passwords",
        "/v1/mailboxes/{long}/app-passwords",
        lambda n: {"name": "x", "networks": ["192.0.2.0/24"] * n},
    ),
    (
        "auth",
        "DELETE",
        "/v1/mailboxes/{address}/app-passwords/{id}",
        "/v1/mailboxes/{long}/app-passwords/{long}",
        lambda n: None,
    ),
    (
        "auth",
        "PUT",
        "/v1/mailboxes/{address}/main-password",
        "/v1/mailboxes/{long}/main-password",
        lambda n: {"enabled": "x" * n},
    ),
    ("auth", "GET", "/v1/forwards", "/v1/forwards?domain={long}", lambda n: None),
    ("auth", "POST", "/v1/forwards", "", lambda n: {"address": "a@b.test", "targets": ["a@" + "b" * 400] * n}),
    ("auth", "PUT", "/v1/forwards/{address}", "/v1/forwards/{long}", lambda n: {"targets": ["a@" + "b" * 400] * n}),
    ("auth", "DELETE", "/v1/forwards/{address}", "/v1/forwards/{long}", lambda n: None),
    ("auth", "GET", "/v1/caller", "", lambda n: None),
    ("auth", "GET", "/v1/audit", "/v1/audit?object={long}", lambda n: None),
    ("auth", "GET", "/v1/tokens", "/v1/tokens?domain={long}", lambda n: None),
    ("auth", "POST", "/v1/tokens", "", lambda n: {"name": "n" * n, "role": "domain", "domain": "d." * n}),
    (
        "auth",
        "POST",
        "/v1/tokens/{token_id}/rotate",
        "/v1/tokens/{long}/rotate",
        lambda n: {"keep_seconds": int("9" * min(n, 4000))},
    ),
    ("auth", "DELETE", "/v1/tokens/{token_id}", "/v1/tokens/{long}", lambda n: None),
    ("auth", "GET", "/v1/moves", "", lambda n: None),
    ("auth", "GET", "/v1/domains/{name}/move", "/v1/domains/{long}/move", lambda n: None),
    ("auth", "PUT", "/v1/domains/{name}/move", "/v1/domains/{long}/move", lambda n: {"networks": ["192.0.2.1"] * n}),
    ("auth", "POST", "/v1/domains/{name}/move/switch", "/v1/domains/{long}/move/switch", lambda n: None),
    ("auth", "POST", "/v1/domains/{name}/move/back", "/v1/domains/{long}/move/back", lambda n: None),
    ("auth", "DELETE", "/v1/domains/{name}/move", "/v1/domains/{long}/move", lambda n: None),
    ("auth", "GET", "/v1/plans", "", lambda n: None),
    ("auth", "POST", "/v1/plans", "", lambda n: {"name": "p" * n, "limits": {"mailboxes": int("9" * min(n, 4000))}}),
    ("auth", "GET", "/v1/plans/{name}", "/v1/plans/{long}", lambda n: None),
    ("auth", "PATCH", "/v1/plans/{name}", "/v1/plans/{long}", lambda n: {"limits": {"x" * n: 1}}),
    ("auth", "DELETE", "/v1/plans/{name}", "/v1/plans/{long}", lambda n: None),
    ("auth", "GET", "/v1/customers", "", lambda n: None),
    ("auth", "POST", "/v1/customers", "", lambda n: {"name": "c" * n, "plan": "p" * n}),
    ("auth", "GET", "/v1/customers/{name}", "/v1/customers/{long}", lambda n: None),
    ("auth", "PUT", "/v1/customers/{name}", "/v1/customers/{long}", lambda n: {"plan": "p" * n}),
    ("auth", "DELETE", "/v1/customers/{name}", "/v1/customers/{long}", lambda n: None),
    ("auth", "GET", "/v1/customers/{name}/domains", "/v1/customers/{long}/domains", lambda n: None),
    ("auth", "PUT", "/v1/domains/{name}/customer", "/v1/domains/{long}/customer", lambda n: {"customer": "c" * n}),
    ("auth", "GET", "/v1/badmailfrom", "", lambda n: None),
    ("auth", "POST", "/v1/badmailfrom", "", lambda n: {"entry": "@" + "b." * n}),
    ("auth", "DELETE", "/v1/badmailfrom/{entry}", "/v1/badmailfrom/{long}", lambda n: None),
    ("auth", "GET", "/v1/grants", "/v1/grants?address={long}", lambda n: None),
    ("auth", "DELETE", "/v1/grants", "/v1/grants?mailbox={long}", lambda n: None),
    ("auth", "DELETE", "/v1/grants/{grant_id}", "/v1/grants/{long}", lambda n: None),
    ("queue-worker", "GET", "/v1/queue", "/v1/queue?limit=10000&recipient={long}", lambda n: None),
    ("queue-worker", "GET", "/v1/queue/shaping", "", lambda n: None),
    ("queue-worker", "GET", "/v1/queue/top", "/v1/queue/top?recipient={long}", lambda n: None),
    ("queue-worker", "GET", "/v1/routes", "/v1/routes?after_value={long}", lambda n: None),
    ("queue-worker", "PUT", "/v1/routes", "", lambda n: {"kind": "destination", "value": "a." * n, "host": "b" * n}),
    ("queue-worker", "POST", "/v1/routes/end", "", lambda n: {"kind": "destination", "value": "a." * n}),
    ("queue-worker", "GET", "/v1/suppressions", "/v1/suppressions?address={long}", lambda n: None),
    ("queue-worker", "DELETE", "/v1/suppressions", "/v1/suppressions?address={long}", lambda n: None),
    (
        "queue-worker",
        "POST",
        "/v1/simulate",
        "",
        lambda n: {
            "recipients": [{"address": f"a{at}@b.test", "mailbox": str(new_id())} for at in range(min(n, 1000))]
        },
    ),
    (
        "smtp-gateway",
        "POST",
        "/v1/simulate",
        "",
        lambda n: {"client": "192.0.2.1", "mail_from": "", "recipients": [ADDRESS] * min(n, 100), "header": "a" * n},
    ),
    ("queue-worker", "GET", "/v1/queue/{queue_id}", "/v1/queue/{long}", lambda n: None),
    ("queue-worker", "GET", "/v1/trace", "/v1/trace?limit=1000&address={long}", lambda n: None),
    ("queue-worker", "GET", "/v1/trace/refusals", "/v1/trace/refusals?limit=500&address={long}", lambda n: None),
    ("auth", "GET", "/v1/trace", "/v1/trace?limit=500&address={long}", lambda n: None),
    ("mailstore", "GET", "/v1/trace", f"/v1/trace?limit=500&mailbox={new_id()}", lambda n: None),
    (
        "queue-worker",
        "POST",
        "/v1/queue/actions",
        "",
        lambda n: {"action": "retry", "ids": [str(new_id()) for _ in range(min(n, 1000))], "reason": "x" * n},
    ),
    ("queue-worker", "GET", "/v1/queue/pauses", "/v1/queue/pauses?after_value={long}", lambda n: None),
    ("queue-worker", "PUT", "/v1/queue/pauses", "", lambda n: {"kind": "destination", "value": "a." * n}),
    ("queue-worker", "POST", "/v1/queue/pauses/end", "", lambda n: {"kind": "destination", "value": "a." * n}),
    ("mailstore", "GET", "/v1/mailboxes/{mailbox_id}", "/v1/mailboxes/{long}", lambda n: None),
    ("mailstore", "DELETE", "/v1/mailboxes/{mailbox_id}", "/v1/mailboxes/{long}", lambda n: None),
    (
        "mailstore",
        "GET",
        "/v1/mailboxes/{mailbox_id}/deleted",
        f"/v1/mailboxes/{new_id()}/deleted?limit=200",
        lambda n: None,
    ),
    ("mailstore", "POST", "/v1/check", "", lambda n: {"after": "mailbox:" + "0" * n}),
    (
        "mailstore",
        "POST",
        "/v1/mailboxes/{mailbox_id}/undelete",
        f"/v1/mailboxes/{new_id()}/undelete",
        lambda n: {"numbers": list(range(min(n, 500))), "to": "a" * n},
    ),
]


def _record_cases() -> list[Case]:
    cases = []
    for service, method, route, path, make in _RECORDS:
        covers = (f"{service} {method} {route}",)
        if make(1) is None:
            cases.append(
                Case(
                    f"{covers[0]}, a name of 400 characters",
                    covers,
                    1,
                    operated(service, method, path or route),
                    why="its size is fixed",
                )
            )
            continue
        cases.append(
            Case(f"{covers[0]}, long values", covers, 10_000, operated(service, method, path or route, make), 1000)
        )
        cases.append(
            Case(
                f"{covers[0]}, brackets in brackets",
                covers,
                MB,
                operated(service, method, path or route, lambda n: b"[" * n),
                64 * KB,
            )
        )
    return cases


#: Every route of every service; a caller without a token is the same to all of them (tests/cost/product.py lists them).
ANONYMOUS_SIZE = 200 * MB


def anonymous_cases(routes: list[tuple[str, str, str]]) -> list[Case]:
    """For each route a body of 200 MB from a caller without a token."""
    cases = []
    for service, method, path in routes:
        asked_path = path.replace("{", "").replace("}", "")
        name = f"{service} {method} {path}"
        cases.append(
            Case(
                f"{name}, 200 MB without a token",
                (f"{name} without a token",),
                ANONYMOUS_SIZE,
                anonymous(service, method, asked_path),
                why="nothing of it is read: tests of mailkit",
            )
        )
    return cases


CASES: list[Case] = [
    *(
        Case(
            f"{service} {method} {path}, {size:,} items" if size > 1 else f"{service} {method} {path}",
            (f"{service} {method} {path}",),
            size,
            asked(service, caller, path, make, method=method),
            size // 20 if size >= 20 else 0,
            "" if size >= 20 else "its size is fixed",
        )
        for service, caller, method, path, size, make in _QUESTIONS
    ),
    *(
        Case(
            f"{service} {method} {path}, arrays in arrays",
            (f"{service} {method} {path}",),
            MB,
            asked(service, caller, path, lambda b, n: b"\x91" * n, method=method),
            64 * KB,
        )
        for service, caller, method, path, _, _ in _QUESTIONS
    ),
    *(
        Case(
            f"mailstore POST /v1/messages/search, {what}",
            ("mailstore POST /v1/messages/search",),
            2000,
            asked("mailstore", "frontend", "/v1/messages/search", lambda b, n, make=make: _search(b, n, make)),
            100,
        )
        for what, make in _PROGRAMS
    ),
    *_record_cases(),
]
