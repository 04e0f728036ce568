"""One login attempt: what is known of it, the result of its check, what it writes, and its trace in log and metrics."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from auth import metrics
from auth.limits import PlanLimits
from auth.login.throttle import CounterKeys
from auth.login.tokens import Named
from auth.storage.app_passwords import Secret
from auth.storage.logins import NETWORK_RENEWED, Change
from auth_api.wire import AnyLogin, LoginAnswer
from mailkit.postgres.rows import Row
from mailkit.process.logs import get_logger

log = get_logger()

#: `stale`: refused and not counted, as no guess. `off`: right, and the plan of the account has this protocol off.
Found = Literal["good", "wrong", "throttled", "busy", "stale", "off", "elsewhere"]


@dataclass(frozen=True, slots=True)
class Try:
    """One login attempt: its names normalised, its counters, and the address that may get a grant (`holder`).

    `secret`: if its password may be an app password. `address`: the client's, None if it is not known. `named`: what its
    access token says, with the mailbox's account name. `rented`: it gets no grant because the
    address is in a shared cloud.
    """

    login: AnyLogin
    account: str
    keys: CounterKeys
    client: str | None
    holder: str | None
    exempt: bool
    network: str | None
    secret: Secret | None
    address: str | None
    limits: PlanLimits
    named: Named | None = None
    rented: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of the check; `better` replaces an outdated hash.

    `delay`: seconds by which the answer is delayed, also for a right password if the network is not the account's own
    (docs/decisions/0049). `app`: the number of the app password that was right, 0 if none was; `relays`: the login may give a grant. `remember`:
    by which the password is recognised next time, if it was checked by its hash.
    """

    found: Found
    retry_after: int = 0
    better: str | None = None
    delay: float = 0.0
    app: int = 0
    relays: bool = True
    remember: bytes = b""

    def credential_version(self, row: Row) -> int:
        """Return what the login's sessions are checked by: the row's credential version, or the app password's number, negative."""
        return -self.app or row["credential_version"] or 0


def change(attempt: Try, row: Row, verdict: Verdict, now: datetime, pop3_delay: timedelta) -> Change | None:
    """Return what this attempt writes; None if nothing. `pop3_delay`: P4.

    A right password over SMTP, or over IMAP without a grant, writes nothing when no counter is reset and no network is added.
    """
    good, pop3 = verdict.found == "good", attempt.login.protocol == "pop3"
    seen = row["network_seen"]
    # a right password resets the counter of its network only: resetting that of all others would give them new guesses
    reset = good and row["network_failures"] > 0
    holder = attempt.holder if good and verdict.relays else None
    learns = good and attempt.network is not None and (seen is None or seen < now - NETWORK_RENEWED)
    if good and not pop3 and not reset and not learns and holder is None:
        return None
    stranger = attempt.account if seen is None and not attempt.exempt else None
    return Change(
        attempt.login.operation_id,
        good,
        pop3,
        row["id"] if good else None,
        verdict.credential_version(row),
        stranger,
        attempt.keys.network,
        attempt.client,
        holder,
        reset,
        attempt.network if learns else None,
        pop3_delay,
    )


def good_answer(row: Row, verdict: Verdict) -> LoginAnswer:
    """Return the answer to a right password or proof that writes nothing."""
    return LoginAnswer(
        "ok",
        row["id"],
        row["box_address"],
        verdict.credential_version(row),
        row["box_quota"],
        row["box_version"],
        delay=verdict.delay,
    )


def record(attempt: Try, answer: LoginAnswer) -> None:
    """Count and log an answer."""
    metrics.LOGINS.labels(attempt.login.protocol, answer.outcome).inc()
    log.info(
        "login" if answer.outcome == "ok" else "login_refused",
        protocol=attempt.login.protocol,
        account=attempt.account,
        client=attempt.login.client_address,
        outcome=answer.outcome,
        credential=max(0, -answer.credential_version),
        **({"grant": "none: a shared cloud"} if attempt.rented and answer.outcome == "ok" else {}),
    )
