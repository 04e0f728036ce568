"""MTA-STS (RFC 8461) and TLS-RPT (RFC 8460): records that tell senders to insist on TLS, and to report on it."""

import re

from mailauth.advice.asking import Asking
from mailauth.advice.models import Advice, ExpectedRecord
from mailauth.dns import texts

_ID = re.compile(r"[A-Za-z0-9]{1,32}\Z")


def wanted_mta_sts(domain: str) -> ExpectedRecord:
    """Return the record that should exist."""
    return ExpectedRecord("mta-sts", f"_mta-sts.{domain}", "TXT", "v=STSv1; id=1", needed=False)


def wanted_tls_rpt(domain: str) -> ExpectedRecord:
    """Return the record that should exist."""
    value = f"v=TLSRPTv1; rua=mailto:postmaster@{domain}"
    return ExpectedRecord("tls-rpt", f"_smtp._tls.{domain}", "TXT", value, needed=False)


async def mta_sts(domain: str, dns: Asking) -> Advice:
    """Advise on the record of MTA-STS. The policy itself is fetched by HTTPS and not looked at. Raises DnsTrouble."""
    wanted = wanted_mta_sts(domain)
    found = [each for each in texts(await dns.ask(wanted.name, "TXT")) if each.startswith(b"v=STSv1")]
    host = f"mta-sts.{domain}"
    if not found:
        sentence = f"{domain} has no MTA-STS, so senders may be brought to send without TLS: serve a policy at https://{host}/.well-known/mta-sts.txt, then publish the TXT record."
        return wanted.judged([], [sentence])
    if len(found) > 1:
        return wanted.judged(
            found, [f"{wanted.name} has {len(found)} records, and senders use none: remove all but one."]
        )
    problems = []
    if not _ID.match(_tags(found[0]).get("id", "")):
        problems.append(
            f"`id` at {wanted.name} is not 1 to 32 letters and digits: write for example `v=STSv1; id=20260101`."
        )
    if not await dns.addresses(host):
        problems.append(
            f"{host} has no address, so senders cannot fetch the policy: publish its address, or remove {wanted.name}."
        )
    return wanted.judged(found, problems)


async def tls_rpt(domain: str, dns: Asking) -> Advice:
    """Advise on the record of TLS-RPT. Raises DnsTrouble."""
    wanted = wanted_tls_rpt(domain)
    found = [each for each in texts(await dns.ask(wanted.name, "TXT")) if each.startswith(b"v=TLSRPTv1")]
    if not found:
        return wanted.judged(
            [], [f"{domain} gets no reports of failed TLS: publish TXT `{wanted.value}` at {wanted.name}."]
        )
    if len(found) > 1:
        return wanted.judged(
            found, [f"{wanted.name} has {len(found)} records, and senders use none: remove all but one."]
        )
    addresses = [each.strip().lower() for each in _tags(found[0]).get("rua", "").split(",")]
    if not all(each.startswith(("mailto:", "https://")) for each in addresses):
        return wanted.judged(
            found, [f"`rua` at {wanted.name} is no `mailto:` or `https:` address: write `{wanted.value}`."]
        )
    return wanted.judged(found)


def _tags(octets: bytes) -> dict[str, str]:
    parts = (part.partition("=") for part in octets.decode("latin-1").split(";"))
    return {name.strip(): value.strip() for name, _, value in parts}
