"""What the cases work on: a running service, mailboxes that are full, callers' tokens, addresses to come from."""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from pydantic import SecretStr

from mailkit.ids import new_id
from mailkit.rpc.proof import LIFE, ProofKeys
from mailstore_api.wire import Filing, FilingList
from tests.cost.talk import Talk, request
from tests.support.run import Account, Run, running, wait_for
from tests.support.world import World

#: The services' modules by the name of their URL in `postrider.env`.
MODULES = {
    "GATEWAY": "smtp_gateway",
    "FRONTEND": "pop_imap_frontend",
    "AUTH": "auth",
    "QUEUE": "queue_worker",
    "MAILSTORE": "mailstore",
}
#: The second client's network; everybody else is a stranger.
EXEMPT = "127.0.0.0/24"
QUOTA = 2000 * 1024 * 1024
FILING_LIST = 1000
PACK = msgspec.msgpack.Encoder(uuid_format="bytes").encode


@dataclass
class Bench:
    """One running service. `messages`: how many a full folder holds; `folders`: how many a full account has."""

    run: Run
    messages: int = 20_000
    folders: int = 300
    _ids: dict[str, UUID] = field(default_factory=dict)
    _sources: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def source(self) -> str:
        """A client address that was not used yet, in a /24 of its own."""
        number = next(self._sources)
        return f"127.{40 + number // 250}.{number % 250}.1"

    # -- processes

    @cached_property
    def pids(self) -> dict[str, int]:
        """The services' processes by the name of their URL."""
        return {name: self.run.service(module).pid for name, module in MODULES.items()}

    @cached_property
    def _postgres(self) -> int:
        return self.run.service("postgres").pid

    def processes(self) -> list[int]:
        """Those of the services, and of Postgres those that serve connections: its upkeep comes when it comes."""
        children = Path(f"/proc/{self._postgres}/task/{self._postgres}/children").read_text().split()
        return [*self.pids.values(), *(int(pid) for pid in children if self._serves(pid))]

    @staticmethod
    def _serves(pid: str) -> bool:
        try:
            return b"[local]" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False

    # -- connections

    def smtp(self, source: str | None = None) -> Talk:
        """A connection to port 25 after EHLO."""
        talk = Talk(self.run.port("SMTP"), source or self.source())
        talk.exchange(b"", b"220 ")
        talk.exchange(b"EHLO client.test\r\n", b"250 ")
        return talk

    def imap(self, account: Account | None = None) -> Talk:
        """A connection after the greeting, logged in when `account` is given."""
        talk = Talk(self.run.port("IMAP"), self.source())
        talk.exchange(b"", b"ready\r\n")
        if account:
            login = f'i LOGIN "{account.address}" "{account.password}"\r\n'.encode()
            assert b"i OK" in talk.exchange(login, b"i "), talk.got
        return talk

    def pop3(self, account: Account | None = None) -> Talk:
        """The same for POP3."""
        talk = Talk(self.run.port("POP3"), self.source())
        talk.exchange(b"", b"ready\r\n")
        if account:
            talk.exchange(f"USER {account.login}\r\n".encode(), b"\r\n")
            answer = talk.exchange(f"PASS {account.password}\r\n".encode(), b"\r\n")
            assert answer.startswith(b"+OK"), answer
        return talk

    def http(
        self,
        service: str,
        method: str,
        path: str,
        body: list[bytes] | bytes = b"",
        *,
        caller: str = "",
        json: bool = False,
    ) -> tuple[int, bytes]:
        """One request as `caller` (admin, gateway, queue, frontend; empty: with a token that is none)."""
        port = int(self.run.env[f"POSTRIDER_{_URLS[service]}_URL"].rpartition(":")[2])
        headers = {
            "authorization": f"Bearer {self.token(service, caller)}",
            "content-type": "application/json" if json else "application/msgpack",
        }
        return request(port, "127.0.0.1", method, path, body, headers)

    def token(self, service: str, caller: str) -> str:
        """The secret by which `caller` is known to `service`."""
        known = self._secrets
        if not caller:
            return "x" * 43
        if caller == "admin":
            return str(known["ADMIN_TOKEN"])
        return str(known[f"TOKEN_{caller}_{_URLS[service]}".upper()])

    def proven(self, question: Any) -> Any:
        """With the proof of login that mailstore demands for its mailbox, where it has a place for one."""
        if "proof" not in getattr(question, "__struct_fields__", ()):
            return question
        proof = self.proofs.sign(question.mailbox_id, 1, time.time() + LIFE)
        return msgspec.structs.replace(question, proof=proof)

    @cached_property
    def proofs(self) -> ProofKeys:
        return ProofKeys.load(SecretStr(self._secrets["PROOF_KEY"]))

    @cached_property
    def _secrets(self) -> dict[str, str]:
        return dict(json.loads((self.run.state / "secrets.json").read_text()))

    # -- mailboxes

    @cached_property
    def domain(self) -> str:
        return self.run.domain()

    @cached_property
    def plain(self) -> Account:
        """A mailbox with next to nothing in it."""
        return self.run.mailbox(self.domain, "plain", quota=QUOTA)

    @cached_property
    def taker(self) -> Account:
        """Where the cases' own messages go, so that no other case has to read them."""
        return self.run.mailbox(self.domain, "taker", quota=QUOTA)

    @cached_property
    def full(self) -> Account:
        """A mailbox whose INBOX holds `messages` messages."""
        account = self.run.mailbox(self.domain, "full", quota=QUOTA)
        self.fill(account, self.messages)
        return account

    @cached_property
    def many(self) -> Account:
        """A mailbox with `folders` folders, their names long and alike."""
        account = self.run.mailbox(self.domain, "many", quota=QUOTA)
        names = [b"e" * 200 + b"/" + b"%03d" % number + b"e" * 196 for number in range(self.folders)]
        with self.imap(account) as talk:
            lines = [b'c CREATE "%b"\r\ns SUBSCRIBE "%b"\r\n' % (name, name) for name in names]
            talk.exchange(b"".join(lines) + b"z NOOP\r\n", b"z OK")
        return account

    def prepare(self) -> None:
        """Make and fill the mailboxes now, so that no case pays for it."""
        _ = self.plain, self.taker, self.full, self.many
        for count in (1, 2):
            self.deliver(self.plain, SEED.replace(b"seed@", b"seed%d@" % count))

    def fill(self, account: Account, count: int) -> None:
        """File `count` messages into the account's INBOX through mailstore's own endpoint, a thousand at a time."""
        mailbox, body = self.mailbox_id(account), self.body_id
        for start in range(0, count, FILING_LIST):
            items = [
                Filing(
                    new_id(),
                    mailbox,
                    body,
                    b"Return-Path: <a@far.example>\r\nDelivered-To: %b\r\n" % account.address.encode(),
                    time.time(),
                    QUOTA,
                    1,
                )
                for _ in range(min(FILING_LIST, count - start))
            ]
            status, answer = self.http("mailstore", "POST", "/v1/filings", PACK(FilingList(items)), caller="queue")
            assert status == 200, answer

    def mailbox_id(self, account: Account) -> UUID:
        if account.address not in self._ids:
            self._ids[account.address] = self.run.mailbox_id(account)
        return self._ids[account.address]

    @cached_property
    def body_id(self) -> UUID:
        """A stored body that filings may refer to: of a small message with many header fields."""
        account = self.run.mailbox(self.domain, "seed", quota=QUOTA)
        self.deliver(account, SEED)
        return asyncio.run(self._newest_body())

    async def _newest_body(self) -> UUID:
        import asyncpg

        connection = await asyncpg.connect(self.dsn)
        try:
            return UUID(
                str(await connection.fetchval("select body_id from mailstore.message order by body_id desc limit 1"))
            )
        finally:
            await connection.close()

    @property
    def dsn(self) -> str:
        """The database, for looking at it from outside."""
        return self.run.dsn

    def deliver(self, account: Account, body: bytes) -> None:
        """Send one message and wait until it is filed."""
        with self.smtp() as talk:
            talk.exchange(b"MAIL FROM:<a@far.example>\r\n", b"250 ")
            talk.exchange(b"RCPT TO:<%b>\r\n" % account.address.encode(), b"250 ")
            talk.exchange(b"DATA\r\n", b"354 ")
            answer = talk.exchange(body + b".\r\n", b"\r\n")
            assert answer.startswith(b"250"), answer
        self.wait_queue_empty()

    def wait_queue_empty(self) -> None:
        """Returns when everything accepted is filed or sent on."""
        wait_for(self.queue_empty, 120, "the queue is empty")

    def queue_empty(self) -> bool:
        """Whether everything accepted is filed or sent on."""
        return bool(self.run.api("GET", "queue", "/v1/queue?limit=1") == [])


_URLS = {
    "smtp-gateway": "GATEWAY",
    "pop-imap-frontend": "FRONTEND",
    "auth": "AUTH",
    "queue-worker": "QUEUE",
    "mailstore": "MAILSTORE",
}
SEED = (
    b'From: "A. Sender" <a@far.example>\r\nTo: b@far.example, "C" <c@far.example>\r\nSubject: =?utf-8?q?J=C3=BCrgen?= report\r\n'
    b"Date: Mon, 23 Nov 2026 10:00:00 +0100\r\nMessage-ID: <seed@far.example>\r\nReferences: <1@far.example> <2@far.example>\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="b1"\r\n\r\n'
    b"--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello, hello.\r\n--b1\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n--b1--\r\n"
)


@contextlib.contextmanager
def benches(messages: int = 20_000, folders: int = 300) -> Iterator[Bench]:
    """A running service with limits that do not stop the cases before they reach what they are for."""
    with World() as world, running(**world.settings(), **SETTINGS) as run:
        yield Bench(run, messages, folders)


#: Logins in plain text keep TLS out of the figures; the second client is no stranger; a reply that is held back costs
#: no other client anything, and would only make the run longer.
SETTINGS = {
    "IMAP_PLAINTEXT_AUTH": "1",
    "POP3_PLAINTEXT_AUTH": "1",
    "SMTP_PLAINTEXT_AUTH": "1",
    "POP3_LOGIN_DELAY_SECONDS": "0",
    "SMTP_ERROR_SECONDS": "0",
    "SMTP_JUNK_COMMANDS": "1000000",
    "CONNECTIONS_PER_MINUTE": "0",
    "MESSAGES_PER_MINUTE": "0",
    "LIMIT_EXEMPT_NETWORKS": EXEMPT,
}
