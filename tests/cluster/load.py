"""Load from outside the cluster: SMTP sessions that submit and IMAP sessions that IDLE and fetch, until told to stop.

Runs as a process of its own in the clients' network (`python -m tests.cluster.load` with a plan on standard input) and
prints one JSON report after SIGTERM. What it notes of each message: acknowledged (250 after the final dot), in doubt
(the connection ended after the dot) or never accepted. A message in doubt is sent again, as mail programs do.
"""

import asyncio
import base64
import contextlib
import json
import random
import signal
import ssl
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

TLS = ssl._create_unverified_context()


class Goodbye(Exception):
    """The server said 421 or BYE: it goes, properly."""


@dataclass
class Report:
    acknowledged: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    goodbyes: Counter[str] = field(default_factory=Counter)
    unclean: list[str] = field(default_factory=list)
    deferred: Counter[str] = field(default_factory=Counter)
    fetched: int = 0
    longest_gap: dict[str, float] = field(default_factory=lambda: {"smtp": 0.0, "imap": 0.0})


class Load:
    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.report = Report()
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        senders = [self.keep("smtp", self.sender, number) for number in range(self.plan["senders"])]
        readers = [self.keep("imap", self.reader, number) for number in range(self.plan["readers"])]
        await asyncio.gather(*senders, *readers)

    async def keep(self, kind: str, session: Any, number: int) -> None:
        """Session after session; the time between two that worked is the gap."""
        # all at once would be one burst of password hashes
        await self.pause(number * (0.2 if kind == "smtp" else 0.1))
        state: dict[str, Any] = {"last": time.monotonic(), "count": 0, "pending": None}
        while not self.stopping.is_set():
            try:
                await session(number, state)
            except Goodbye as error:
                self.report.goodbyes[f"{kind} {str(error)[:60]}"] += 1
            except (OSError, EOFError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
                self.report.unclean.append(f"{time.time():.2f} {kind} {number}: {type(error).__name__} {error}")
            await self.pause(0.2)

    async def pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    def worked(self, kind: str, state: dict[str, Any], allowed: float = 0.0) -> None:
        now = time.monotonic()
        gap = now - state["last"] - allowed
        self.report.longest_gap[kind] = max(self.report.longest_gap[kind], gap)
        state["last"] = now

    # -- SMTP
    async def sender(self, number: int, state: dict[str, Any]) -> None:
        secure = number % 2 == 1  # half of them log in over TLS, half come as a stranger's server does
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection(self.plan["smtp"], 465 if secure else 25, ssl=TLS if secure else None), 30
        )
        try:
            await self.smtp_session(number, state, secure, reader, writer)
        finally:
            writer.close()

    async def smtp_session(
        self,
        number: int,
        state: dict[str, Any],
        secure: bool,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        async def answer(sent: str = "", seconds: float = 60) -> tuple[int, str]:
            if sent:
                writer.write(sent.encode() + b"\r\n")
                with contextlib.suppress(ConnectionError):  # a 421 said meanwhile is still to be read
                    await writer.drain()
            while True:
                line = await asyncio.wait_for(reader.readline(), seconds)
                if not line.endswith(b"\n"):
                    raise EOFError(f"the connection ended after {sent[:20]!r}")
                text = line.decode().strip()
                if text[3:4] != "-":
                    if text.startswith("421"):
                        raise Goodbye(text)
                    return int(text[:3]), text

        await answer()
        await answer("EHLO client.test")
        accounts = self.plan["accounts"]
        if secure:
            address, password = accounts[number % len(accounts)]
            token = base64.b64encode(f"\0{address}\0{password}".encode()).decode()
            code, text = await answer(f"AUTH PLAIN {token}")
            if code != 235:
                self.report.deferred[f"AUTH: {text[:60]}"] += 1
                await self.pause(0.5)
                return
        while not self.stopping.is_set():
            if state["pending"] is None:
                state["count"] += 1
                state["pending"] = f"load-{number}-{state['count']}"
            mark = state["pending"]
            to = random.choice(accounts)[0]
            sender = accounts[number % len(accounts)][0] if secure else "friend@elsewhere.example"
            refused = ""
            for command in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>", "DATA"):
                code, text = await answer(command)
                if code >= 400:
                    refused = text
                    break
            if refused:
                self.report.deferred[refused[:60]] += 1
                await answer("RSET")
                await self.pause(0.5)
                continue
            body = f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {mark}\r\nMessage-ID: <{mark}@load.test>\r\n\r\n{'x' * 900}\r\n"
            writer.write(body.encode())
            try:
                code, text = await answer(".")
            except Goodbye:  # 421 is an answer: the message is not taken
                raise
            except (OSError, EOFError, TimeoutError):
                self.report.doubtful.append(mark)
                raise
            if code == 250:
                self.report.acknowledged.append(mark)
                state["pending"] = None
                self.worked("smtp", state, self.plan["pause"])
            else:
                self.report.deferred[text[:60]] += 1
            await self.pause(self.plan["pause"])
        await answer("QUIT")

    # -- IMAP
    async def reader(self, number: int, state: dict[str, Any]) -> None:
        stream, writer = await asyncio.wait_for(asyncio.open_connection(self.plan["imap"], 993, ssl=TLS), 30)
        try:
            await self.imap_session(number, state, stream, writer)
        finally:
            writer.close()

    async def imap_session(
        self, number: int, state: dict[str, Any], stream: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async def line(seconds: float = 60) -> str:
            got = await asyncio.wait_for(stream.readline(), seconds)
            if not got.endswith(b"\n"):
                raise EOFError("the connection ended without BYE")
            text = got.decode(errors="replace").strip()
            if text.startswith("* BYE"):
                raise Goodbye(text)
            return text

        async def command(text: str) -> list[str]:
            writer.write(f"a {text}\r\n".encode())
            with contextlib.suppress(ConnectionError):  # a BYE said meanwhile is still to be read
                await writer.drain()
            lines = []
            while True:
                lines.append(await line())
                if lines[-1].startswith("a "):
                    if not lines[-1].startswith("a OK"):
                        raise ValueError(f"{text.split()[0]}: {lines[-1]}")
                    return lines

        await line()
        address, password = self.plan["accounts"][number % len(self.plan["accounts"])]
        await command(f'LOGIN {address} "{password}"')
        await command("SELECT INBOX")
        while not self.stopping.is_set():
            writer.write(b"a IDLE\r\n")
            await line()  # the continuation
            exists = 0
            stop = asyncio.ensure_future(self.stopping.wait())
            try:
                while not exists and not self.stopping.is_set():
                    news = asyncio.ensure_future(line(120))
                    await asyncio.wait({news, stop}, return_when=asyncio.FIRST_COMPLETED)
                    if not news.done():
                        news.cancel()
                        with contextlib.suppress(asyncio.CancelledError):
                            await news
                        break
                    words = news.result().split()
                    if len(words) == 3 and words[2] == "EXISTS":
                        exists = int(words[1])
            finally:
                stop.cancel()
            writer.write(b"DONE\r\n")
            while not (await line()).startswith("a OK"):
                pass
            if exists:
                await command(f"FETCH {exists} (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
                self.report.fetched += 1
            self.worked("imap", state)
        with contextlib.suppress(Goodbye):
            await command("LOGOUT")


async def main() -> None:
    load = Load(json.loads(sys.stdin.readline()))
    await load.run()
    print(json.dumps(vars(load.report)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
