"""Removal of expired rows, by one replica for all."""

from contextlib import suppress
from datetime import timedelta

from auth import metrics
from auth.storage.audit import remove_audit
from auth.storage.events import drop_partitions, make_partition
from auth.storage.logins import NETWORK_KNOWN
from auth.storage.maintenance import remove
from auth.storage.srs import rotate
from mailkit.postgres.pool import translated
from mailkit.postgres.singleton import LeaseLost, Singleton
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.process.report import report

log = get_logger()

PERIOD = timedelta(seconds=60)
#: How long an operation's answer is remembered (decision 3).
REMEMBERED = timedelta(minutes=10)
#: How long a password is recognised without its hash (docs/decisions/0125).
PASSWORD_REMEMBERED = timedelta(days=1)
#: How long hourly counts of recipients are kept; only those of the current hour are read.
RELAY_USE = timedelta(hours=2)
#: How long after the last message what an account has relayed is kept: longer than the longest window, a day and a part.
RELAY_RATES = timedelta(days=2)
#: How long events of the trace are kept if nothing else is said, and the days for which partitions are made in advance.
HISTORY = timedelta(days=8)
AHEAD = 7
#: How long the audit is kept.
AUDIT = timedelta(days=400)


class Maintenance:
    """The periodic removal, called every PERIOD (`mailkit.process.lifecycle.Lifecycle.every`)."""

    def __init__(
        self,
        clock: Clock,
        failure_window: timedelta,
        singleton: Singleton,
        *,
        keep_verifiers: bool,
        history: timedelta = HISTORY,
    ) -> None:
        self._clock = clock
        self._singleton = singleton
        self._history = history
        self._ages = {
            "grants": timedelta(0),
            "operations": REMEMBERED,
            "login_failures": failure_window,
            "login_networks": NETWORK_KNOWN,
            "relay_use": RELAY_USE,
            "relay_rates": RELAY_RATES,
            "remembered_passwords": PASSWORD_REMEMBERED,
        }
        if not keep_verifiers:  # POSTRIDER_SCRAM may have been set before
            self._ages["scram_verifiers"] = timedelta(0)

    async def run(self) -> dict[str, int]:
        """Remove expired rows; return their number per table, empty if another replica does it. Raises Unavailable."""
        removed: dict[str, int] = {}
        with suppress(LeaseLost), self._singleton.round():
            async with translated():
                if not await self._singleton.mine():
                    return removed
                now = self._clock.now()
                for table, age in self._ages.items():
                    removed[table] = await remove(self._singleton, table, now - age)
                    metrics.REMOVED.labels(table).inc(removed[table])
                midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
                for ahead in range(AHEAD + 1):
                    await make_partition(self._singleton, midnight + timedelta(days=ahead))
                await drop_partitions(self._singleton, (now - self._history).date())
                await rotate(self._singleton, now)
                metrics.REMOVED.labels("audit").inc(await remove_audit(self._singleton, now - AUDIT))
        if any(removed.values()):
            log.info("maintenance", **removed)
        return removed

    async def end(self) -> None:
        """Release the lease at the end of the process; if the database does not answer, the lease expires."""
        try:
            await self._singleton.release()
        except Exception as error:
            report(error, "maintenance")
