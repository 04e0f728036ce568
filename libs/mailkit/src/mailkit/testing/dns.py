"""A DNS server for tests: real UDP and TCP sockets on loopback, with zones that a test may change while it runs."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from mailkit.testing.speed import patient

Records = Mapping[str, Sequence[str]]
"""Type → values as in a zone file: `{"MX": ["10 mx.example.com"], "A": ["127.0.0.5"]}`. Names are absolute."""

_HOST_VALUED = {"MX", "CNAME", "NS", "PTR"}
_NEGATIVE_TTL = 30


class FakeDns:
    """A DNS server in a thread of its own: `with FakeDns({"far.test": {"MX": ["10 mx.far.test"]}}) as dns: dns.server`.

    Names in no zone are NXDOMAIN; a name with other types only is NODATA; `*.name` answers for the names below it.
    `fail(name, "SERVFAIL" | "REFUSED" | "TIMEOUT")` injects errors, `queries` counts (name, type), both while it runs.
    """

    def __init__(
        self, zones: Mapping[str, Records] | None = None, *, address: str = "127.0.0.1", port: int = 0, ttl: int = 60
    ) -> None:
        self.zones: dict[str, dict[str, list[str]]] = {}
        self.queries: Counter[tuple[str, str]] = Counter()
        self.transports: Counter[str] = Counter()
        self.address, self.port = address, port
        self.secure: set[str] = set()
        """Zones whose answers have the AD bit for clients that ask for it, as a validating resolver would set it."""
        self._ttl = ttl
        self._trouble: dict[str, str] = {}
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="fake-dns", daemon=True)
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._refusal: BaseException | None = None
        for name, records in (zones or {}).items():
            self.set(name, **records)

    @property
    def server(self) -> str:
        """`host:port`, the form of POSTRIDER_DNS_SERVERS."""
        return f"{self.address}:{self.port}"

    def set(self, name: str, **records: Sequence[str]) -> None:
        """Replace the records of `name`: `dns.set("a.test", MX=["10 mx.a.test"], A=["127.0.0.5"])`; with none it is NODATA."""
        with self._lock:
            self.zones[_canonical(name)] = {kind.upper(): list(values) for kind, values in records.items()}

    def remove(self, name: str) -> None:
        """Remove `name` with all its records: it is NXDOMAIN from now on."""
        with self._lock:
            self.zones.pop(_canonical(name), None)

    def fail(self, name: str, how: str | None) -> None:
        """Answer questions about `name` with an rcode (`SERVFAIL`, `REFUSED`…) or not at all (`TIMEOUT`); None: normally."""
        with self._lock:
            if how is None:
                self._trouble.pop(_canonical(name), None)
            else:
                self._trouble[_canonical(name)] = how

    def asked(self, name: str, kind: str) -> int:
        """Return the number of queries of `name` with the type `kind`."""
        return self.queries[(_canonical(name), kind)]

    def start(self) -> Self:
        """Start the thread and wait until it listens. Raises TimeoutError, and the error with which it failed to start."""
        self._thread.start()
        if not self._ready.wait(patient(10)):
            raise TimeoutError("the server for names did not start")
        if self._refusal is not None:
            raise self._refusal
        return self

    def stop(self) -> None:
        """Stop listening and wait for the thread to end."""
        if self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(patient(10))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _serve(self) -> None:
        try:
            self._loop.run_until_complete(self._run())
        except BaseException as error:
            self._refusal = error
        finally:
            self._ready.set()
            self._loop.close()

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        udp, tcp = _bind_both(self.address, self.port)
        self.port = udp.getsockname()[1]
        transport, _ = await self._loop.create_datagram_endpoint(lambda: _Datagrams(self.answer), sock=udp)
        server = await asyncio.start_server(self._stream, sock=tcp)
        self._ready.set()
        await self._stop.wait()
        server.close()
        transport.close()
        await asyncio.sleep(0)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                reply = self.answer(await reader.readexactly(length), "tcp")
                if reply is not None:
                    writer.write(len(reply).to_bytes(2, "big") + reply)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    def answer(self, wire: bytes, transport: str) -> bytes | None:
        """Return the reply to one query; None: no reply. Over UDP a reply that does not fit is truncated (RFC 1035 4.2.1)."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        question = query.question[0]
        name, kind = _canonical(question.name.to_text()), dns.rdatatype.to_text(question.rdtype)
        with self._lock:
            self.queries[(name, kind)] += 1
            self.transports[transport] += 1
            trouble = self._trouble.get(name)
            if trouble == "TIMEOUT":
                return None
            reply = dns.message.make_response(query, recursion_available=True)
            if trouble is not None:
                reply.set_rcode(dns.rcode.from_text(trouble))
            else:
                self._fill(reply, name, kind)
                if query.flags & dns.flags.AD and any(
                    name == zone or name.endswith("." + zone) for zone in self.secure
                ):
                    reply.flags |= dns.flags.AD
        if transport == "tcp":
            return reply.to_wire()
        try:
            return reply.to_wire(max_size=query.payload or 512)
        except dns.exception.TooBig:
            short = dns.message.make_response(query, recursion_available=True)
            short.flags |= dns.flags.TC
            return short.to_wire()

    def _fill(self, reply: dns.message.Message, name: str, kind: str) -> None:
        """Fill in the answer with its CNAME chain; else NODATA or NXDOMAIN with a SOA, so that resolvers may cache it."""
        for _ in range(8):
            records = self._find(name)
            if records is None:
                reply.set_rcode(dns.rcode.NXDOMAIN)
                break
            values = records.get(kind)
            if values:
                reply.answer.append(self._rrset(name, kind, values))
                return
            alias = records.get("CNAME")
            if not alias:
                break
            reply.answer.append(self._rrset(name, "CNAME", alias))
            name = _canonical(alias[0])
        zone = name.rpartition(".")[2] or "."
        soa = f". hostmaster. 1 3600 600 86400 {_NEGATIVE_TTL}"
        reply.authority.append(dns.rrset.from_text(_absolute(zone), _NEGATIVE_TTL, dns.rdataclass.IN, "SOA", soa))

    def _find(self, name: str) -> dict[str, list[str]] | None:
        if name in self.zones:
            return self.zones[name]
        if any(other.endswith("." + name) for other in self.zones):
            return {}  # an empty non-terminal exists (RFC 8020)
        parent = name
        while "." in parent:
            parent = parent.partition(".")[2]
            if "*." + parent in self.zones:
                return self.zones["*." + parent]
        return None

    def _rrset(self, name: str, kind: str, values: Sequence[str]) -> dns.rrset.RRset:
        texts = [value if value.endswith(".") or kind not in _HOST_VALUED else value + "." for value in values]
        return dns.rrset.from_text(_absolute(name), self._ttl, dns.rdataclass.IN, kind, *texts)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes, str], bytes | None]) -> None:
        self._answer = answer
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # the transport of 3.11 is not an instance of it

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._answer(data, "udp")
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


def _canonical(name: str) -> str:
    return name.rstrip(".").lower()


def _absolute(name: str) -> str:
    return name if name.endswith(".") else name + "."


def _bind_both(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Return a UDP and a TCP socket on the same port; with port 0 another one is tried if the TCP port is taken."""
    for _ in range(20):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            udp.bind((address, port))
            tcp.bind((address, udp.getsockname()[1]))
            tcp.listen(64)
            return udp, tcp
        except OSError:
            udp.close()
            tcp.close()
            if port:
                raise
    raise OSError("no free port for DNS on " + address)
