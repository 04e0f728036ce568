"""One log line for each accepted and each refused transaction; refused ones are traced, and floods counted (docs/decisions/0069, 0070)."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from mailkit.ids import new_id
from mailkit.mail.address import client_network
from mailkit.mail.reply import Reply
from mailkit.net.levels import Levels
from mailkit.process.logs import get_logger
from queue_worker_api.wire import MOST_NAMED, Origin, Refusal, Stamp
from smtp_gateway import replies
from smtp_gateway.refusals import RefusalTrace
from smtp_gateway.transaction import Transaction

log = get_logger()

#: Longest part of a command's argument in a log line (characters).
MOST_LOGGED = 320
#: Refusals of one client network (/24, IPv6 /64) that are logged at once, and per second after that.
NETWORK_BURST, NETWORK_PER_SECOND = 100, 1.0
#: The same for all clients together.
BURST, PER_SECOND = 2000, 50.0
#: Seconds between two lines that count the others.
COUNTED_SECONDS = 10.0
_ALL = ""
_COMMANDS = {"MAIL", "RCPT"}


class Journal:
    """What one process has logged lately. `trace` gets the refusals, too. `clock`: monotonic seconds."""

    def __init__(self, trace: RefusalTrace, clock: Callable[[], float] = time.monotonic) -> None:
        self._trace = trace
        self._networks = Levels(NETWORK_PER_SECOND, clock=clock)
        self._all = Levels(PER_SECOND, most=1, clock=clock)
        self._unlogged: Counter[str] = Counter()

    def accepted(
        self,
        queue_id: UUID,
        client: str | None,
        origin: Origin,
        mail_from: str,
        recipients: Sequence[str],
        size: int,
        reply: Reply,
        stamp: Stamp,
    ) -> None:
        """Log a transaction that was answered 250."""
        log.info(
            "accepted",
            queue_id=queue_id,
            client=client,
            listener=origin.listener,
            tls=origin.tls,
            helo=origin.helo,
            **{"from": mail_from},
            to=recipients[:MOST_NAMED],
            recipients=len(recipients),
            size=size,
            by=origin.by,
            account=origin.account,
            rule=replies.RULE_OF_RIGHT[origin.by],
            reply=str(reply),
            **_found(stamp),
        )

    def refused(
        self,
        client: str | None,
        origin: Origin,
        account: UUID | None,
        of: Transaction,
        command: str,
        argument: str,
        reply: Reply,
    ) -> None:
        """Log and trace a reply 4xx or 5xx, unless its client's network, or all together, were refused very often lately.

        `account`: the mailbox whose login or grant is used. `argument`: the command's; RCPT's is not yet one of the recipients `of` the transaction.
        """
        rule = replies.rule(reply)
        network = client_network(client) if client is not None else _ALL
        if self._networks.level(network) >= NETWORK_BURST or self._all.level(_ALL) >= BURST:
            self._unlogged[rule] += 1
            return
        self._networks.add(network)
        self._all.add(_ALL)
        named = _path(argument) if command in _COMMANDS else ""
        mail_from = named if command == "MAIL" else of.mail_from
        recipients = [named] if command == "RCPT" else of.recipients[:MOST_NAMED]
        log.info(
            "rejected",
            client=client,
            listener=origin.listener,
            tls=origin.tls,
            helo=origin.helo,
            **{"from": mail_from},
            to=recipients,
            recipients=len(of.recipients),
            size=of.size,
            by=origin.by,
            account=origin.account,
            command=command,
            rule=rule,
            reply=str(reply),
            **_found(of.stamp),
        )
        self._trace.add(
            Refusal(
                new_id(),
                rule,
                str(reply),
                command,
                client,
                origin,
                account,
                mail_from,
                recipients,
                len(of.recipients),
                of.size,
                verdicts=of.stamp.verdicts,
                counted=of.stamp.counted,
            )
        )

    async def count(self) -> None:
        """Log and trace how many refusals have not been recorded since the last time, by rule."""
        if self._unlogged:
            counts, self._unlogged = dict(self._unlogged), Counter()
            log.info("rejected_more", rules=counts, refusals=sum(counts.values()))
            for rule, times in counts.items():
                self._trace.count(rule, times)
        self._trace.sum_up()


def _found(stamp: Stamp) -> dict[str, Any]:
    """Return the fields of a line that say what was found out about a message from outside; none of any other."""
    if not stamp.verdicts:
        return {}
    told = [" ".join(filter(None, (f"{each.method}={each.result}", each.domain))) for each in stamp.verdicts]
    return {"verdicts": told, **({"folder": stamp.folder} if stamp.folder else {})}


def _path(argument: str) -> str:
    """Return the address in the argument of MAIL or RCPT as far as it can be told, without checking its syntax."""
    before, bracket, rest = argument[:MOST_LOGGED].partition("<")
    return rest.partition(">")[0] if bracket else before.partition(":")[2].strip()
