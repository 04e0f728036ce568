"""Advice on the DNS records of a customer's domain, for operators (docs/decisions/0099)."""

from collections.abc import Sequence
from dataclasses import replace

from auth.admin import models
from auth.admin.accounts import domain_name
from auth.keys import zone_text
from auth.storage.accounts import Accounts
from auth.storage.dkim import DkimKeys
from mailauth.advice.models import Key, MailService
from mailauth.advice.report import advise, verdict
from mailauth.dns import Dns
from mailkit.process.clock import Clock


class ZoneAdvice:
    """Says which records a domain should have, which exist, and what is wrong.

    `hosts`: the names of this service, the one to publish first; `sending`: the HELO names that mail leaves by.
    """

    def __init__(
        self,
        store: DkimKeys,
        accounts: Accounts,
        clock: Clock,
        resolver: Dns,
        hosts: Sequence[str],
        sending: Sequence[str],
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._resolver = resolver
        names = _names(hosts)
        self._service = MailService(names, _names(sending) or names[:1])

    async def of(self, name: str, sending: Sequence[str] | None = None) -> models.ZoneReport:
        """Return the report on a domain of ours, whose mail leaves by the HELO names `sending`; None: as that of others.

        Raises NotFound and Unavailable (the database).
        """
        domain = domain_name(name)
        await self._accounts.domain(domain)
        keys = [
            Key(row["selector"], row["algorithm"], row["record"], row["state"] == "active")
            for row in await self._store.of(domain)
            if row["state"] != "old"
        ]
        service = replace(self._service, sending=_names(sending)) if sending else self._service
        found = await advise(domain, service, keys, self._resolver, now=self._clock.now().timestamp())
        return models.ZoneReport(
            domain=domain,
            state=verdict(found),
            records=[
                models.ZoneRecord(
                    purpose=each.purpose,
                    name=each.name,
                    type=each.kind,
                    value=each.value,
                    zone_text=zone_text(each.value) if each.kind == "TXT" else each.value,
                    needed=each.needed,
                    state=each.state,
                    found=list(each.found),
                    problems=list(each.problems),
                    remarks=list(each.remarks),
                )
                for each in found
            ],
        )


def _names(given: Sequence[str]) -> tuple[str, ...]:
    return tuple(each.lower().removesuffix(".") for each in given)
