"""The names that customers' mail clients use: smtp. and pop3. (contract S1, P1), and SRV records (RFC 6186, RFC 8314)."""

from mailauth.advice.asking import Asking
from mailauth.advice.models import Advice, ExpectedRecord, MailService
from mailauth.dns import names

ALIASES = ("smtp", "pop3", "imap")
#: Services of SRV records and their ports. Those with implicit TLS come first (RFC 8314 5.1).
SERVICES = (
    ("_submissions", 465),
    ("_submission", 587),
    ("_imaps", 993),
    ("_imap", 143),
    ("_pop3s", 995),
    ("_pop3", 110),
)


def wanted_alias(domain: str, label: str, service: MailService) -> ExpectedRecord:
    """Return the alias that should exist."""
    return ExpectedRecord("alias", f"{label}.{domain}", "CNAME", f"{service.host}.", needed=False)


def wanted_srv(domain: str, name: str, port: int, service: MailService) -> ExpectedRecord:
    """Return the SRV record that should exist."""
    return ExpectedRecord("srv", f"{name}._tcp.{domain}", "SRV", f"0 1 {port} {service.host}.", needed=False)


async def alias(domain: str, label: str, service: MailService, dns: Asking) -> Advice:
    """Advise on one alias, which may be a CNAME or have addresses of its own. Raises DnsTrouble."""
    wanted = wanted_alias(domain, label, service)
    target, addresses = names(await dns.ask(wanted.name, "CNAME")), await dns.addresses(wanted.name)
    publish = f"publish `{wanted.name}. IN CNAME {wanted.value}`"
    if not target and not addresses:
        return wanted.judged([], [f"{wanted.name} does not exist, so clients cannot be set to it: {publish}."])
    if not addresses:
        return wanted.judged(
            target, [f"{wanted.name} is a CNAME to {target[0]}, which has no address: {publish} instead."]
        )
    own = {each for found in (await dns.of_all(service.hosts)).values() for each in found}
    elsewhere = [each for each in addresses if each not in own]
    if own and elsewhere:
        return wanted.judged(
            target or addresses,
            [f"{wanted.name} leads to {elsewhere[0]}, which is not an address of {service.host}: {publish} instead."],
        )
    return wanted.judged(target or addresses)


async def srv(domain: str, name: str, port: int, service: MailService, dns: Asking) -> Advice:
    """Advise on one SRV record. Raises DnsTrouble."""
    wanted = wanted_srv(domain, name, port, service)
    found = names(await dns.ask(wanted.name, "SRV"))
    publish = f"publish `{wanted.name}. IN SRV {wanted.value}`"
    if not found:
        return wanted.judged(
            [], [f"{wanted.name} has no SRV record, so clients cannot find the settings by themselves: {publish}."]
        )
    targets = [each.lower().split() for each in found]
    if all(len(each) < 4 for each in targets):  # the target "." of RFC 6186 3.4
        return wanted.judged(
            found, [], [f"{wanted.name} says that the service is not offered; to offer it, {publish}."]
        )
    right = {f"{label}.{domain}" for label in ALIASES} | set(service.hosts)
    for each in targets:
        if len(each) == 4 and (each[3].removesuffix(".") not in right or each[2] != str(port)):
            return wanted.judged(
                found, [f"{wanted.name} leads to {each[3].removesuffix('.')} port {each[2]}: {publish} instead."]
            )
    return wanted.judged(found)
