"""The operators of mail hosts whose limits many domains share: Google, Microsoft, Yahoo, and those of the operator's own table."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from mailkit.errors import ConfigError

#: Operators of the setting, and suffixes of each.
MOST, MOST_SUFFIXES = 50, 20
_NAME = re.compile(r"[a-z][a-z0-9-]{0,29}\Z")
_SUFFIX = re.compile(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?\Z")
_LIMIT = re.compile(r"(conversations|per-minute)=([1-9][0-9]{0,5})\Z")


@dataclass(frozen=True, slots=True)
class MxOperator:
    """An operator: the ends of its MX hosts' names, and what one worker may do there at most.

    `per_minute`: recipients a minute; 0: no limit.
    """

    name: str
    suffixes: tuple[str, ...]
    conversations: int = 20
    per_minute: int = 0


BUILT_IN = (
    MxOperator("google", ("google.com", "googlemail.com"), 40),
    MxOperator("microsoft", ("outlook.com", "mx.microsoft"), 40),
    MxOperator("yahoo", ("yahoodns.net",), 20),
)


def operators(setting: Iterable[str]) -> tuple[MxOperator, ...]:
    """Return the built-in operators and those of POSTRIDER_SHAPING: `NAME SUFFIX… [conversations=N] [per-minute=N]` each.

    An entry with the name of a built-in one changes it. Raises ConfigError.
    """
    found = {each.name: each for each in BUILT_IN}
    for entry in setting:
        made = _operator(entry, found)
        found[made.name] = made
    if len(found) > MOST:
        raise ConfigError(f"POSTRIDER_SHAPING has more than {MOST} operators")
    return tuple(found.values())


def _operator(entry: str, known: dict[str, MxOperator]) -> MxOperator:
    name, *words = entry.lower().split()
    made = known.get(name, MxOperator(name, ()))
    limits = {match[1]: match[2] for word in words if (match := _LIMIT.match(word))}
    suffixes = tuple(word for word in words if "=" not in word)
    if suffixes:
        made = replace(made, suffixes=suffixes)
    right = _NAME.match(name) and 0 < len(made.suffixes) <= MOST_SUFFIXES and all(map(_SUFFIX.match, suffixes))
    if not right or len(limits) + len(suffixes) != len(words):
        raise ConfigError(f"POSTRIDER_SHAPING: {entry!r} is not `NAME SUFFIX… [conversations=N] [per-minute=N]`")
    return replace(
        made,
        conversations=int(limits.get("conversations", made.conversations)),
        per_minute=int(limits.get("per-minute", made.per_minute)),
    )


def operator_of(hosts: Iterable[str], among: Iterable[MxOperator]) -> str | None:
    """Return the name of the operator that has all `hosts`; None if there is none.

    A domain with further hosts is no operator's: their replies would hold back the mail of all others.
    """
    names = {"." + host.lower().rstrip(".") for host in hosts}
    return next((each.name for each in among if names and all(map(_ends(each), names))), None)


def _ends(operator: MxOperator) -> Callable[[str], bool]:
    suffixes = tuple(f".{suffix}" for suffix in operator.suffixes)
    return lambda name: name.endswith(suffixes)
