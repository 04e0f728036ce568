"""A zone that has all that mail needs, and changes that break it, each with the purpose and a part of the sentence that advice has for it."""

import asyncio
from collections.abc import Callable

from mailauth.advice.models import Advice, Key, MailService
from mailauth.advice.report import advise
from mailauth.testing import Zones

D, HOST = "shop.test", "ns0.host.test"
SERVICE = MailService((HOST, "mx2.host.test"), (HOST,))
RECORD = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
OTHER = "v=DKIM1; k=ed25519; p=O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik="
KEY = Key("pr-ed1", "ed25519-sha256", RECORD, active=True)
KEY_NAME = f"pr-ed1._domainkey.{D}"
Change = Callable[[dict[str, dict[str, list[str]]]], None]


def right_zone() -> dict[str, dict[str, list[str]]]:
    zone: dict[str, dict[str, list[str]]] = {
        D: {"MX": [HOST], "TXT": ["hello", f"v=spf1 a:{HOST} -all"]},
        HOST: {"A": ["198.51.100.7"], "AAAA": ["2001:db8::7"], "TXT": ["v=spf1 a -all"]},
        "7.100.51.198.in-addr.arpa": {"PTR": [f"{HOST}."]},
        "7." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa": {"PTR": [HOST]},
        KEY_NAME: {"TXT": [RECORD]},
        f"_dmarc.{D}": {"TXT": [f"v=DMARC1; p=quarantine; rua=mailto:dmarc@{D}"]},
        f"_mta-sts.{D}": {"TXT": ["v=STSv1; id=2026"]},
        f"mta-sts.{D}": {"A": ["198.51.100.80"]},
        f"_smtp._tls.{D}": {"TXT": [f"v=TLSRPTv1; rua=mailto:tls@{D}"]},
    }
    for label in ("smtp", "pop3", "imap"):
        zone[f"{label}.{D}"] = {"CNAME": [HOST]}
    ports = {"submission": 587, "submissions": 465, "imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}
    for name, port in ports.items():
        zone[f"_{name}._tcp.{D}"] = {"SRV": [f"0 1 {port} {HOST}."]}
    return zone


def report(
    resolver: Zones, service: MailService = SERVICE, held: tuple[Key, ...] = (KEY,), seconds: float = 8.0
) -> list[Advice]:
    return asyncio.run(advise(D, service, held, resolver, now=0.0, seconds=seconds))


def put(name: str, kind: str, *values: str) -> Change:
    """A change of the zone: these records of one type; none removes them."""

    def change(zone: dict[str, dict[str, list[str]]]) -> None:
        held = zone.setdefault(name, {})
        held.pop(kind, None)
        if kind == "CNAME":
            held.clear()
        if values:
            held[kind] = list(values)
        if not held:
            del zone[name]

    return change


def spf(*values: str) -> Change:
    return put(D, "TXT", *values)


def both(*changes: Change) -> Change:
    def change(zone: dict[str, dict[str, list[str]]]) -> None:
        for each in changes:
            each(zone)

    return change


INCLUDES = both(
    spf("v=spf1 " + " ".join(f"include:i{n}.test" for n in range(11)) + f" a:{HOST} -all"),
    *(put(f"i{n}.test", "TXT", "v=spf1 -all") for n in range(11)),
)
VOID = spf(f"v=spf1 a:no1.test a:no2.test a:no3.test a:{HOST} -all")


def without_domain(zone: dict[str, dict[str, list[str]]]) -> None:
    """Remove the domain and all names below it."""
    for name in [each for each in zone if each.endswith(D)]:
        del zone[name]


BROKEN: dict[str, tuple[Change, str, str]] = {
    "no domain": (without_domain, "mx", "register it or have its zone delegated"),
    "no mx": (put(D, "MX"), "mx", "mail for it is returned: publish `shop.test. IN MX 10 ns0.host.test.`"),
    "no mx but an address": (both(put(D, "MX"), put(D, "A", "198.51.100.80")), "mx", "goes to its address 198.51.100.80"),
    "null mx": (put(D, "MX", ""), "mx", "says that the domain takes no mail: remove it"),
    "null mx beside": (put(D, "MX", "", HOST), "mx", "makes them invalid"),
    "mx elsewhere": (both(put(D, "MX", "mx.old.test"), put("mx.old.test", "A", "198.51.100.9")), "mx", "goes to mx.old.test and not here"),
    "mx partly elsewhere": (both(put(D, "MX", HOST, "mx.old.test"), put("mx.old.test", "A", "198.51.100.9")), "mx", "Some mail for shop.test goes to mx.old.test"),
    "S15": (both(put(D, "MX", "mx.shop.test"), put("mx.shop.test", "TXT", "here")), "mx", "Name service error for mx.shop.test: Host found but no data record of requested type"),
    "mx that does not exist": (put(D, "MX", "mx.nowhere.test"), "mx", "The MX host mx.nowhere.test does not exist"),
    "mx is an address": (put(D, "MX", "198.51.100.7"), "mx", "has to name a host"),
    "mx is a cname": (both(put(D, "MX", "mail.shop.test"), put("mail.shop.test", "CNAME", HOST)), "mx", "is a CNAME, which RFC 2181 forbids"),
    "mx is private": (both(put(D, "MX", "mail.shop.test"), put("mail.shop.test", "A", "10.0.0.5")), "mx", "no address that others can reach (10.0.0.5)"),
    "no spf": (spf("hello"), "spf", "has no SPF record: publish TXT `v=spf1 a:ns0.host.test ~all`"),
    "two spf": (spf("v=spf1 -all", f"v=spf1 a:{HOST} -all"), "spf", "has 2 SPF records"),
    "spf misspelt": (spf(f"v=sfp1 a:{HOST} -all"), "spf", "resembles SPF"),
    "spf with a semicolon": (spf(f"v=spf1; a:{HOST} -all"), "spf", "resembles SPF"),
    "spf in quotation marks": (spf(f'"v=spf1 a:{HOST} -all"'), "spf", "resembles SPF"),
    "spf malformed": (spf(f"v=spf1 a:{HOST} ip4:1.2.3 -all"), "spf", "is malformed (ip4:1.2.3"),
    "spf unknown mechanism": (spf(f"v=spf1 a:{HOST} host:a.test -all"), "spf", "is malformed (host:a.test"),
    "eleven look-ups": (INCLUDES, "spf", "more than 10 terms that ask the DNS), so receivers do not use it: remove or replace `include`"),
    "three void look-ups": (VOID, "spf", "remove the terms whose names have no record"),
    "include without spf": (spf(f"v=spf1 include:gone.test a:{HOST} -all"), "spf", "correct or remove what is wrong at `include:gone.test`"),
    "include of itself": (spf(f"v=spf1 include:{D} -all"), "spf", "cannot be evaluated"),
    "spf without us": (spf("v=spf1 ip4:203.0.113.0/24 -all"), "spf", "add `a:ns0.host.test` in front of its `all`"),
    "spf without our ipv6": (spf("v=spf1 ip4:198.51.100.7 -all"), "spf", "does not permit 2001:db8::7"),
    "spf for everybody": (spf("v=spf1 +all"), "spf", "permits everybody"),
    "spf neutral": (spf(f"v=spf1 a:{HOST} ?all"), "spf", "protects nothing: replace it by `~all`"),
    "spf without an end": (spf(f"v=spf1 a:{HOST}"), "spf", "ends without `all`"),
    "spf behind all": (spf(f"v=spf1 a:{HOST} -all include:i.test"), "spf", "is behind `all` and ignored"),
    "spf redirect and all": (spf(f"v=spf1 a:{HOST} redirect=i.test -all"), "spf", "remove one of the two"),
    "spf ptr": (spf(f"v=spf1 ptr a:{HOST} -all"), "spf", "`ptr` in the SPF record"),
    "no dkim record": (put(KEY_NAME, "TXT"), "dkim", "publish the TXT record shown"),
    "two dkim records": (put(KEY_NAME, "TXT", RECORD, OTHER), "dkim", "has 2 TXT records"),
    "another dkim key": (put(KEY_NAME, "TXT", OTHER), "dkim", "is of another key"),
    "dkim revoked": (put(KEY_NAME, "TXT", "v=DKIM1; k=ed25519; p="), "dkim", "the key is revoked"),
    "dkim in quotation marks": (put(KEY_NAME, "TXT", f'"{RECORD}"'), "dkim", "cannot be used"),
    "dkim of another kind": (put(KEY_NAME, "TXT", RECORD.replace("k=ed25519; ", "")), "dkim", "the key is for rsa"),
    "dkim for sha1": (put(KEY_NAME, "TXT", RECORD + "; h=sha1"), "dkim", "not for sha256"),
    "dkim for tests": (put(KEY_NAME, "TXT", RECORD + "; t=y"), "dkim", "is for tests"),
    "dkim cname to nowhere": (put(KEY_NAME, "CNAME", "pr-ed1.keys.host.test"), "dkim", "is a CNAME to pr-ed1.keys.host.test, where there is no record"),
    "dkim domain twice": (both(put(KEY_NAME, "TXT"), put(f"{KEY_NAME}.{D}", "TXT", RECORD)), "dkim", "enter the name as `pr-ed1._domainkey`"),
    "no dmarc": (put(f"_dmarc.{D}", "TXT"), "dmarc", "which large receivers require: publish TXT"),
    "two dmarc": (put(f"_dmarc.{D}", "TXT", "v=DMARC1; p=none", "v=DMARC1; p=reject"), "dmarc", "has 2 DMARC records"),
    "dmarc in lower case": (put(f"_dmarc.{D}", "TXT", "v=dmarc1; p=none"), "dmarc", "is no DMARC record"),
    "dmarc without semicolon": (put(f"_dmarc.{D}", "TXT", "v=DMARC1 p=none"), "dmarc", "is no DMARC record"),
    "dmarc without p": (put(f"_dmarc.{D}", "TXT", f"v=DMARC1; rua=mailto:a@{D}"), "dmarc", "has no `p`"),
    "dmarc misspelt policy": (put(f"_dmarc.{D}", "TXT", "v=DMARC1; p=monitor"), "dmarc", "`p=monitor`"),
    "dmarc misspelt sp": (put(f"_dmarc.{D}", "TXT", "v=DMARC1; p=none; sp=block"), "dmarc", "`sp=block`"),
    "dmarc without mailto": (put(f"_dmarc.{D}", "TXT", f"v=DMARC1; p=none; rua=a@{D}"), "dmarc", "without `mailto:`"),
    "dmarc with an empty rua": (put(f"_dmarc.{D}", "TXT", "v=DMARC1; p=none; rua="), "dmarc", "no URI"),
    "dmarc reports elsewhere": (put(f"_dmarc.{D}", "TXT", "v=DMARC1; p=none; rua=mailto:a@reports.test"), "dmarc", "shop.test._report._dmarc.reports.test"),
    "dmarc at the domain": (both(put(f"_dmarc.{D}", "TXT"), spf(f"v=spf1 a:{HOST} -all", "v=DMARC1; p=none")), "dmarc", "has to be at _dmarc.shop.test: move it"),
    "dmarc domain twice": (both(put(f"_dmarc.{D}", "TXT"), put(f"_dmarc.{D}.{D}", "TXT", "v=DMARC1; p=none")), "dmarc", "enter the name as `_dmarc`"),
    "no alias": (put(f"smtp.{D}", "CNAME"), "alias", "smtp.shop.test does not exist"),
    "alias elsewhere": (both(put(f"pop3.{D}", "CNAME"), put(f"pop3.{D}", "A", "198.51.100.9")), "alias", "leads to 198.51.100.9"),
    "alias to nowhere": (put(f"smtp.{D}", "CNAME", "gone.host.test"), "alias", "which has no address"),
    "no srv": (put(f"_imaps._tcp.{D}", "SRV"), "srv", "publish `_imaps._tcp.shop.test. IN SRV 0 1 993 ns0.host.test.`"),
    "srv to another port": (put(f"_imaps._tcp.{D}", "SRV", f"0 1 143 {HOST}"), "srv", "leads to ns0.host.test port 143"),
    "srv elsewhere": (put(f"_pop3s._tcp.{D}", "SRV", "0 1 995 old.test"), "srv", "leads to old.test port 995"),
    "no mta-sts": (put(f"_mta-sts.{D}", "TXT"), "mta-sts", "has no MTA-STS"),
    "two mta-sts": (put(f"_mta-sts.{D}", "TXT", "v=STSv1; id=1", "v=STSv1; id=2"), "mta-sts", "senders use none"),
    "mta-sts without id": (put(f"_mta-sts.{D}", "TXT", "v=STSv1; id=2026-11-30"), "mta-sts", "letters and digits"),
    "mta-sts without host": (put(f"mta-sts.{D}", "A"), "mta-sts", "senders cannot fetch the policy"),
    "no tls-rpt": (put(f"_smtp._tls.{D}", "TXT"), "tls-rpt", "no reports of failed TLS"),
    "tls-rpt without mailto": (put(f"_smtp._tls.{D}", "TXT", f"v=TLSRPTv1; rua=a@{D}"), "tls-rpt", "no `mailto:`"),
    "helo without address": (both(put(HOST, "A"), put(HOST, "AAAA")), "source", "has no address, and receivers refuse"),
    "no ptr": (put("7.100.51.198.in-addr.arpa", "PTR"), "source", "198.51.100.7 has no PTR record"),
    "ptr and helo differ": (both(put("7.100.51.198.in-addr.arpa", "PTR", "srv7.dc.test"), put("srv7.dc.test", "A", "198.51.100.7")), "source", "is srv7.dc.test, and HELO says ns0.host.test"),
    "ptr without its address": (put("7.100.51.198.in-addr.arpa", "PTR", "srv7.dc.test"), "source", "is srv7.dc.test, which does not have this address"),
    "helo without spf": (
        put(HOST, "TXT"),
        "source",
        "has no SPF record, so bounces have no SPF result: publish TXT `v=spf1 a -all`",
    ),
    "helo with a wrong spf": (
        put(HOST, "TXT", "v=spf1 ip4:203.0.113.1 -all"),
        "source",
        "does not permit its own address (fail)",
    ),
    "helo is private": (put(HOST, "A", "192.168.1.1"), "source", "has the private address 192.168.1.1"),
}  # fmt: skip
