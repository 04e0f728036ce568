"""MTA-STS: the policy that is in force for a domain, found, fetched, cached and refreshed (RFC 8461 3.3, 5.1; docs/decisions/0095)."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from mailkit.net.dns import DnsError, Resolver
from mailkit.net.under_way import Place, TooManyUnderWay, WorkUnderWay, domain_group
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from queue_worker import metrics
from queue_worker.storage.sts_policies import StsPolicies, StsPolicy
from queue_worker.tls.policy import TlsPolicy
from queue_worker.tls.results import TlsCounts
from queue_worker.tls.sts_fetch import FETCH_SECONDS, FetchFailed
from queue_worker.tls.sts_text import BadPolicy, parse, policy_id

log = get_logger()

#: Seconds for which a worker knows the policy of a domain without asking again, and most domains that it knows.
KNOWN_SECONDS = 60.0
MOST_KNOWN = 10_000
#: Seconds after a failed fetch in which a domain's mail does not wait for another one (RFC 8461 3.3 suggests 300).
FAILED_SECONDS = 300.0
#: Most fetches at once of a worker, and of one domain and those below it; further ones wait, as long as one may take.
BOUNDS = {"all": 100, "domain": 4}
#: Seconds after which a fetch is given up for one that waits.
PATIENCE = 2.0
#: Seconds for the first fetch of a domain's policy, for which its mail waits with nothing to go by.
FIRST_SECONDS = 5.0
#: A policy is fetched again after half of its max_age, at most this long; after a failure each hour.
REFRESH = timedelta(days=1)
AGAIN = timedelta(hours=1)


class _NotDone(FetchFailed):
    """Other fetches left no room, so that the domain is asked at the next occasion."""

    def __init__(self) -> None:
        super().__init__("sts-policy-fetch-error", "too many fetches are under way")


class Sts:
    """The policies in force. `fetch` returns the text of a domain's policy."""

    def __init__(
        self,
        rows: StsPolicies,
        resolver: Resolver,
        fetch: Callable[[str], Awaitable[str]],
        clock: Clock,
        results: TlsCounts,
    ) -> None:
        self.rows = rows
        self._resolver = resolver
        self._fetch = fetch
        self._clock = clock
        self._results = results
        self._known: dict[str, tuple[float, StsPolicy | None]] = {}
        self._failed: dict[str, float] = {}
        self._finding: dict[str, asyncio.Future[StsPolicy | None]] = {}
        self._fetches = WorkUnderWay(BOUNDS, patience=PATIENCE)
        self._freed = asyncio.Event()

    async def of(self, domain: str) -> StsPolicy | None:
        """Return the policy of `domain` with mode enforce or testing; None if there is none."""
        until, policy = self._known.get(domain, (0.0, None))
        if until <= asyncio.get_running_loop().time() or (policy is not None and policy.expires <= self._clock.now()):
            finding = self._finding.get(domain)
            if finding is None:
                finding = self._finding[domain] = asyncio.ensure_future(self._find(domain))
                finding.add_done_callback(lambda done: self._found(domain, done))
            policy = await asyncio.shield(finding)  # one caller cancelled does not cancel the search of the others
        return None if policy is None or policy.mode == "none" else policy

    def _found(self, domain: str, done: asyncio.Future[StsPolicy | None]) -> None:
        self._finding.pop(domain, None)
        if not done.cancelled() and done.exception() is None:
            _keep(self._known, domain, (asyncio.get_running_loop().time() + KNOWN_SECONDS, done.result()))

    async def _find(self, domain: str) -> StsPolicy | None:
        """Return the policy by the id in DNS; without one, or if it cannot be fetched, the one that was fetched before."""
        cached = await self.rows.of(domain, self._clock.now())
        identifier = await self._identifier(domain)
        if identifier is None or (cached is not None and cached.id == identifier):
            return cached
        if self._failed.get(domain, 0.0) > asyncio.get_running_loop().time():
            return cached
        return await self._renewed(domain, identifier, FETCH_SECONDS if cached else FIRST_SECONDS) or cached

    async def _identifier(self, domain: str) -> str | None:
        try:
            return policy_id(await self._resolver.txt(f"_mta-sts.{domain}"))
        except DnsError:
            return None

    async def _renewed(self, domain: str, identifier: str, seconds: float) -> StsPolicy | None:
        """Fetch the policy within `seconds` and keep it; None if that fails."""
        try:
            text = await self._fetched(domain, seconds)
            now = self._clock.now()
            policy = parse(text, domain, identifier, now)
        except (FetchFailed, BadPolicy) as error:
            failure = error.failure if isinstance(error, FetchFailed) else "sts-policy-invalid"
            metrics.STS_FETCHED.labels(failure).inc()
            self._results.note(domain, TlsPolicy("mta-sts", f"policy {identifier} of {domain}"), failure)
            log.info("sts_policy", domain=domain, outcome=failure, error=str(error)[:500])
            if not isinstance(error, _NotDone):
                _keep(self._failed, domain, asyncio.get_running_loop().time() + FAILED_SECONDS)
            return None
        metrics.STS_FETCHED.labels("ok").inc()
        await self.rows.put(policy, now, now + min(REFRESH, timedelta(seconds=policy.max_age / 2)))
        return policy

    async def _fetched(self, domain: str, seconds: float) -> str:
        """Return the text of the policy. Raises FetchFailed, _NotDone if other fetches left no room."""
        limit = asyncio.timeout(None)
        given_up: list[bool] = []

        def give_up() -> None:
            given_up.append(True)
            limit.reschedule(asyncio.get_running_loop().time())

        place = await self._place(domain, give_up)
        try:
            async with limit:
                limit.reschedule(asyncio.get_running_loop().time() + seconds)
                return await self._fetch(domain)
        except TimeoutError:
            if given_up:
                raise _NotDone from None
            raise FetchFailed("sts-policy-fetch-error", f"no answer in {seconds:g} s") from None
        finally:
            self._fetches.leave(place)
            self._freed.set()

    async def _place(self, domain: str, give_up: Callable[[], None]) -> Place:
        """Return a place for a fetch, which is given up for others if it is slow. Raises _NotDone."""
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                while True:
                    try:
                        return self._fetches.take((domain_group(domain),), give_up)
                    except TooManyUnderWay as full:
                        self._freed.clear()
                        with suppress(TimeoutError):
                            await asyncio.wait_for(self._freed.wait(), full.seconds)
        except TimeoutError:
            raise _NotDone from None

    async def refresh(self, domain: str) -> None:
        """Fetch the policy of `domain` again before it expires; after a failure, once more in an hour."""
        identifier = await self._identifier(domain)
        if identifier is None or await self._renewed(domain, identifier, FETCH_SECONDS) is None:
            await self.rows.postpone(domain, self._clock.now() + AGAIN)


def _keep(known: dict[str, Any], key: str, value: Any) -> None:
    known.pop(key, None)
    while len(known) >= MOST_KNOWN:
        del known[next(iter(known))]  # the one written first
    known[key] = value
