"""The DMARC policy of the domain and where its reports go (RFC 9989, RFC 9990)."""

from mailauth.advice.asking import Asking
from mailauth.advice.models import Advice, ExpectedRecord
from mailauth.dmarc.record import DmarcRecord, is_dmarc, parse
from mailauth.dmarc.reports import MOST_DESTINATIONS, agreed, destination
from mailauth.dmarc.walk import Walks
from mailauth.dns import texts


def wanted_dmarc(domain: str) -> ExpectedRecord:
    """Return the record that should exist."""
    return ExpectedRecord("dmarc", f"_dmarc.{domain}", "TXT", f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}")


async def dmarc(domain: str, dns: Asking) -> Advice:
    """Advise on the DMARC record that applies to `domain`. Raises DnsTrouble."""
    wanted = wanted_dmarc(domain)
    published = texts(await dns.ask(wanted.name, "TXT"))
    found = [each for each in published if is_dmarc(each)]
    walks = Walks(dns)
    if not found:
        return await _none(wanted, domain, published, walks, dns)
    if len(found) > 1:
        return wanted.judged(
            found, [f"{wanted.name} has {len(found)} DMARC records, and receivers use none: remove all but one."]
        )
    record = parse(found[0])
    problems = _of_record(wanted, found[0], record)
    problems += [each for uri in record.rua[:MOST_DESTINATIONS] if (each := await _report(domain, uri, walks, dns))]
    remarks = []
    if record.p == "none" and not problems:
        remarks.append(
            f"p=none only asks for reports: read them, then raise it to quarantine and reject at {wanted.name}."
        )
    return wanted.judged(found, problems, remarks)


async def _none(wanted: ExpectedRecord, domain: str, published: list[bytes], walks: Walks, dns: Asking) -> Advice:
    near = [each for each in published if b"dmarc" in each[:20].lower()]
    if near:
        return wanted.judged(
            near,
            [
                f"The record at {wanted.name} is no DMARC record, which begins with `v=DMARC1;`: replace it by `{wanted.value}`."
            ],
        )
    walk = await walks.walk(domain)
    if walk.applied is not None:
        name, record = walk.applied
        return wanted.judged([record.text], [], [f"The record of {name} applies to {domain}."])
    if any(is_dmarc(each) for each in texts(await dns.ask(domain, "TXT"))):
        return wanted.judged([], [f"The DMARC record is at {domain} and has to be at {wanted.name}: move it."])
    if any(is_dmarc(each) for each in texts(await dns.ask(f"{wanted.name}.{domain}", "TXT"))):
        doubled = f"{wanted.name}.{domain}"
        return wanted.judged(
            [],
            [
                f"The DMARC record is at {doubled}, as the panel added the domain a second time: enter the name as `_dmarc`."
            ],
        )
    return wanted.judged(
        [],
        [
            f"{domain} has no DMARC record, which large receivers require: publish TXT `{wanted.value}` at {wanted.name}."
        ],
    )


def _of_record(wanted: ExpectedRecord, octets: bytes, record: DmarcRecord) -> list[str]:
    names = [part.partition("=")[0].strip().lower() for part in record.text.split(";")]
    values = {part.partition("=")[0].strip().lower(): part.partition("=")[2].strip() for part in record.text.split(";")}
    problems = []
    if "p" not in names:
        problems.append(
            f"The record at {wanted.name} has no `p`: add `p=none`, `p=quarantine` or `p=reject` behind `v=DMARC1;`."
        )
    problems += [
        f"`{name}={values[name][:30]}` at {wanted.name} is no policy: write none, quarantine or reject."
        for name in ("p", "sp", "np")
        if name in values and values[name].lower() not in ("none", "quarantine", "reject")
    ]
    addresses = [each.strip() for each in values.get("rua", "").split(",") if each.strip()]
    if any("@" in each and not each.lower().startswith("mailto:") for each in addresses):
        problems.append(f"An address in `rua` at {wanted.name} is without `mailto:`: write `rua=mailto:ADDRESS`.")
    elif "rua" in names and len(record.rua) < len(addresses or [""]):
        problems.append(f"`rua` at {wanted.name} has something that is no URI: write `rua=mailto:ADDRESS`.")
    return problems


async def _report(domain: str, uri: str, walks: Walks, dns: Asking) -> str | None:
    """Return what is wrong if a domain elsewhere has not agreed to get reports about `domain` (RFC 9990 4)."""
    wanted = destination(uri)
    if wanted is None or wanted.host is None or await agreed(domain, wanted, walks, dns):
        return None
    consent = f"{domain}._report._dmarc.{wanted.host}"
    return f"Reports about {domain} are not sent to {wanted.address}, as {wanted.host} has not agreed: have TXT `v=DMARC1` published at {consent}, or name an address of {domain}."
