"""Speed of auth's endpoints on this machine: `python services/auth/bench/endpoints.py`. Real service, real Postgres, one process
asking as smtp-gateway and pop-imap-frontend do (lists of what piled up)."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import uvloop

from auth_api import wire
from auth_api.admin import AuthAdmin
from auth_api.client import AuthClient
from mailkit.errors import Unavailable
from mailkit.ids import new_id
from mailkit.testing.postgres import databases, run_apart

PORT = 18001
BOXES = 500


async def measure(name: str, per_call: int, ask: Callable[[int], Awaitable[object]], seconds: float = 3.0) -> None:
    """Four askers, back to back."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def asker(n: int) -> None:
        while time.perf_counter() < end:
            started = time.perf_counter()
            await ask(n)
            times.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(asker(n) for n in range(4)))
    total = time.perf_counter() - started
    times.sort()
    p50, p99 = times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000
    print(f"{name:52} {len(times) * per_call / total:9,.0f}/s   list p50 {p50:6.2f} ms  p99 {p99:6.2f} ms")


async def work() -> None:
    url = f"http://127.0.0.1:{PORT}"
    admin, gateway = AuthAdmin(url, "a"), AuthClient(url, "g")
    while True:
        try:
            await admin.domains()
            break
        except Unavailable:
            await asyncio.sleep(0.1)
    await admin.add_domain("site.com")
    for n in range(BOXES):
        await admin.add_mailbox(f"u{n}@site.com", password="secret")
    for n in range(100):
        await admin.add_forward(f"f{n}@site.com", [f"u{n}@site.com", f"x{n}@far.test"])
    box = UUID((await admin.mailbox("u0@site.com"))["id"])
    question = wire.RecipientQuestion

    def local(size: int) -> list[wire.RecipientQuestion]:
        return [question(f"u{n % BOXES}@site.com", "a@far.test", "192.0.2.1", None) for n in range(size)]

    for size in (1, 10, 100):
        await measure(f"recipients, local, lists of {size}", size, lambda _, s=size: gateway.recipients(local(s)))
    forwards = [question(f"f{n}@site.com", "a@far.test", "192.0.2.1", None) for n in range(100)]
    await measure("recipients, forwarded, lists of 100", 100, lambda _: gateway.recipients(forwards))
    remote = [question(f"x{n}@far.test", "u0@site.com", "192.0.2.1", box) for n in range(100)]
    await measure("recipients, relayed and charged, lists of 100", 100, lambda _: gateway.recipients(remote))
    boxes = [UUID((await admin.mailbox(f"u{n}@site.com"))["id"]) for n in range(100)]

    def relayed(size: int) -> list[wire.RecipientQuestion]:
        return [question(f"x{n}@far.test", "", "192.0.2.1", boxes[n], first=True) for n in range(size)]

    await measure("recipients, relayed, of 100 accounts", 100, lambda _: gateway.recipients(relayed(100)))
    await measure("recipients, relayed, lists of 1", 1, lambda _: gateway.recipients(relayed(1)))
    await admin.add_plan(
        "rates", dict.fromkeys(("messages_per_minute", "messages_per_day", "recipients_per_hour"), 10**9)
    )
    await admin.add_customer("site", "rates")
    await admin.set_domain_customer("site.com", "site")
    await asyncio.sleep(3)
    await measure("recipients, of 100 accounts with rates by plan", 100, lambda _: gateway.recipients(relayed(100)))
    await measure("recipients, with rates by plan, lists of 1", 1, lambda _: gateway.recipients(relayed(1)))
    senders = [wire.SenderQuestion("a@far.test", "192.0.2.1", None)] * 100
    await measure("senders, lists of 100", 100, lambda _: gateway.senders(senders))

    def logins(protocol: str) -> list[wire.Login]:
        return [wire.Login(new_id(), protocol, f"u{n}@site.com", "secret", "192.0.2.1") for n in range(100)]  # type: ignore[arg-type]

    await gateway.logins(logins("smtp"))
    await measure("logins, SMTP, remembered, lists of 100", 100, lambda _: gateway.logins(logins("smtp")))
    await measure("logins, IMAP with grant, remembered, lists of 100", 100, lambda _: gateway.logins(logins("imap")))
    await measure("logins, POP3, remembered, lists of 100", 100, lambda _: gateway.logins(logins("pop3")))
    sessions = [wire.SessionQuestion(box, 1)] * 1000
    await measure("sessions, lists of 1000", 1000, lambda _: gateway.recheck(sessions))
    await admin.aclose()
    await gateway.aclose()


def main() -> None:
    with databases().database(("auth", "auth")) as dsn:
        names = {
            "DATABASE_URL": dsn,
            "HTTP_PORT": str(PORT),
            "ADMIN_TOKEN": "a",
            "TOKEN_GATEWAY_AUTH": "g",
            "PROOF_KEY": "k" * 32,
            "LOG_LEVEL": "warning",
            "RECIPIENTS_PER_HOUR": "1000000000",
        }
        env = os.environ | {f"POSTRIDER_{name}": value for name, value in names.items()}
        service = subprocess.Popen([sys.executable, "-m", "auth"], env=env)
        try:
            run_apart(work())
        finally:
            service.terminate()
            service.wait(10)


if __name__ == "__main__":
    uvloop.install()
    main()
