"""All advice about one domain, asked for concurrently and before one deadline."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Literal

from mailauth.advice.asking import Asking
from mailauth.advice.client_names import ALIASES, SERVICES, alias, srv, wanted_alias, wanted_srv
from mailauth.advice.dkim import dkim, no_keys, wanted_dkim
from mailauth.advice.dmarc import dmarc, wanted_dmarc
from mailauth.advice.mail_hosts import mail_hosts, wanted_mx
from mailauth.advice.models import Advice, ExpectedRecord, Key, MailService
from mailauth.advice.sources import sources
from mailauth.advice.spf import spf, wanted_spf
from mailauth.advice.transport import mta_sts, tls_rpt, wanted_mta_sts, wanted_tls_rpt
from mailauth.dns import Dns, DnsTrouble

#: Seconds until what is not known yet could not be asked; keys and HELO names that are looked at.
SECONDS = 6.0
MOST_KEYS, MOST_SENDING = 8, 10


async def advise(
    domain: str, service: MailService, keys: Sequence[Key], resolver: Dns, *, now: float, seconds: float = SECONDS
) -> list[Advice]:
    """Return what the zone of `domain` (A-labels) should have, in the order in which it is set up. `now`: seconds since 1970."""
    dns = Asking(resolver, seconds)
    sending = service.sending[:MOST_SENDING]
    service = MailService(service.hosts[:MOST_SENDING], sending)
    try:
        about_domain = asyncio.gather(
            _known(wanted_mx(domain, service), mail_hosts(domain, service, dns)),
            _known(wanted_spf(domain, service), spf(domain, service, now, dns)),
            *(_known(wanted_dkim(domain, key), dkim(domain, key, dns)) for key in keys[:MOST_KEYS]),
            _known(wanted_dmarc(domain), dmarc(domain, dns)),
            *(_known(wanted_alias(domain, each, service), alias(domain, each, service, dns)) for each in ALIASES),
            _known(wanted_mta_sts(domain), mta_sts(domain, dns)),
            _known(wanted_tls_rpt(domain), tls_rpt(domain, dns)),
            *(
                _known(wanted_srv(domain, name, port, service), srv(domain, name, port, service, dns))
                for name, port in SERVICES
            ),
        )
        about_hosts = asyncio.gather(*(sources(each, now, dns) for each in sending))
        found, of_hosts = await asyncio.gather(about_domain, about_hosts)
    finally:
        await dns.close()
    if not keys:
        found.insert(2, no_keys(domain))
    return [*found, *(each for one in of_hosts for each in one)]


def verdict(advice: Sequence[Advice]) -> Literal["right", "wrong", "unknown"]:
    """Return the state of the whole: "wrong" if something needed is missing or anything is wrong, "unknown", else "right"."""
    states = {each.state for each in advice if each.needed or each.state == "wrong"}
    if states & {"missing", "wrong"}:
        return "wrong"
    return "unknown" if "unknown" in states else "right"


async def _known(wanted: ExpectedRecord, advice: Coroutine[Any, Any, Advice]) -> Advice:
    try:
        return await advice
    except DnsTrouble as error:
        return wanted.unknown(str(error))
