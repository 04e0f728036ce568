"""The DKIM record of each key, at its own name or behind a CNAME (RFC 6376 3.6)."""

from mailauth import tags
from mailauth.advice.asking import Asking
from mailauth.advice.models import Advice, ExpectedRecord, Key
from mailauth.dkim import keys
from mailauth.dns import names, texts
from mailauth.tags import BadTags


def wanted_dkim(domain: str, key: Key) -> ExpectedRecord:
    """Return the record that should exist."""
    return ExpectedRecord("dkim", f"{key.selector}._domainkey.{domain}", "TXT", key.record)


def no_keys(domain: str) -> Advice:
    """Return the advice for a domain without keys."""
    sentence = (
        f"{domain} has no DKIM keys: `postrider domain dkim make {domain}` makes them; then publish their records."
    )
    return ExpectedRecord("dkim", f"_domainkey.{domain}", "TXT", "").judged([], [sentence])


async def dkim(domain: str, key: Key, dns: Asking) -> Advice:
    """Advise on the record of one key. Raises DnsTrouble."""
    wanted = wanted_dkim(domain, key)
    found = texts(await dns.ask(wanted.name, "TXT"))
    if not found:
        return wanted.judged([], [await _missing(wanted.name, domain, key, dns)])
    if len(found) > 1:
        return wanted.judged(
            found,
            [f"{wanted.name} has {len(found)} TXT records, and receivers use none: remove all but the one shown."],
        )
    wrong = _wrong(wanted.name, found[0], key)
    if wrong:
        return wanted.judged(found, [wrong])
    if keys.read(found[0], key.algorithm).testing:
        return wanted.judged(
            found, [f"`t=y` at {wanted.name} says that the key is for tests, and receivers may ignore it: remove it."]
        )
    waits = (
        []
        if key.active
        else [
            "The record is there; the domain signs with this key within minutes, or at `postrider domain dkim check`."
        ]
    )
    return wanted.judged(found, [], waits)


async def _missing(name: str, domain: str, key: Key, dns: Asking) -> str:
    effect = (
        "receivers cannot verify mail signed with it"
        if key.active
        else "the domain does not sign with this key until it is there"
    )
    alias = names(await dns.ask(name, "CNAME"))
    if alias:
        return f"{name} is a CNAME to {alias[0]}, where there is no record ({effect}): publish the record there."
    doubled = f"{name}.{domain}"
    if texts(await dns.ask(doubled, "TXT")):
        return f"The record is at {doubled}, as the panel added the domain a second time: enter the name as `{key.selector}._domainkey`."
    return f"{name} has no record, and {effect}: publish the TXT record shown."


def _wrong(name: str, octets: bytes, key: Key) -> str | None:
    try:
        keys.read(octets, key.algorithm)
        same = tags.decoded(tags.parse(octets)["p"]) == tags.decoded(tags.parse(key.record.encode())["p"])
    except (keys.BadKey, BadTags) as error:
        return f"The record at {name} cannot be used ({error}): replace it by the one shown."
    return None if same else f"The record at {name} is of another key: replace it by the one shown."
