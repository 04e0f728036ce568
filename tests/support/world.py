"""The world outside: a DNS server and other providers' mail hosts, on loopback addresses of their own."""

import itertools
import os
import secrets
import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from mailkit.testing.dns import FakeDns
from mailkit.testing.sink import Received, Sink


class Remote:
    """Another provider: a domain whose MX is a sink."""

    def __init__(self, domain: str, sink: Sink) -> None:
        self.domain = domain
        self.sink = sink
        self.host = f"mx.{domain}"

    def messages(self) -> list[Received]:
        return list(self.sink.messages)


class World:
    """Everything outside of the service. `far_domain` exists; `remote()` makes a provider that takes mail."""

    def __init__(self, *, network: str = "", dns: tuple[str, int] = ("127.0.0.1", 0), smtp_port: int = 0) -> None:
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        self._network = network or f"127.{10 + worker}."
        self._hosts = itertools.count(1)
        self._sinks: list[Sink] = []
        self.far_domain = "far.example"
        zones = {"far.example": {"MX": ["10 mx.far.example"]}, "elsewhere.example": {"A": ["127.0.9.9"]}}
        self.dns = FakeDns(zones, address=dns[0], port=dns[1])
        self.smtp_port = smtp_port
        if not smtp_port:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                self.smtp_port = probe.getsockname()[1]

    def __enter__(self) -> Self:
        self.dns.start()
        sink = self._sink()
        self.dns.set("mx.far.example", A=[sink.address])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sink in self._sinks:
            sink.close()
        self.dns.stop()

    def settings(self) -> dict[str, str]:
        """What a run has to be told to live in this world."""
        return {"DNS_SERVERS": self.dns.server, "REMOTE_SMTP_PORT": str(self.smtp_port)}

    def address(self) -> str:
        """A remote host's address that nobody uses yet."""
        number = next(self._hosts)
        if self._network.count(".") == 3:
            return f"{self._network}{number + 1}"
        return f"{self._network}{number // 250}.{number % 250 + 1}"

    def _sink(self) -> Sink:
        sink = Sink(self.address(), self.smtp_port)
        self._sinks.append(sink)
        return sink

    def remote(self, domain: str | None = None, mx: Sequence[str] | None = None) -> Remote:
        """A new provider. `mx`: its MX records, when they are not one host at preference 10."""
        domain = domain or f"r{secrets.token_hex(4)}.example"
        remote = Remote(domain, self._sink())
        self.dns.set(domain, MX=mx or [f"10 {remote.host}"])
        self.dns.set(remote.host, A=[remote.sink.address])
        return remote
