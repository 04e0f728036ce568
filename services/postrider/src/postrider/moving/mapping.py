"""What a domain of vpopmail becomes here, and what of it has no place; nothing is changed (docs/operate/moving-in.md)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mailkit.mail.address import BadAddress, parse_address
from postrider.moving.limits import common_flags, has_permissions, plan_limits, plan_name
from postrider.moving.notes import Notes
from postrider.quotas import QUOTA_LEAST, QUOTA_MOST
from vpopmail.domain import QmailAddress, VpopmailDomain
from vpopmail.dotqmail import DeliverTo, DotQmail, ForwardLine, Instruction, ProgramLine, UnknownLine, Vdelivermail
from vpopmail.limits import flags_in_force
from vpopmail.vpasswd import Flags, VpopmailAccount

#: Limit of a forward's targets (decision 5).
MOST_TARGETS = 100

#: Local parts that auth takes for its own addresses (auth.addresses).
_LOCAL = re.compile(r"(?!.*\.\.)[a-z0-9](?:[a-z0-9._+=&'~-]{0,62}[a-z0-9_+=~-])?")
#: Hashes that auth can check.
_HASH = re.compile(r"\$(1|2[aby]|5|6|argon2id?)\$.+|[./0-9A-Za-z]{13}")

_ALL_OFF = Flags.NO_POP | Flags.NO_IMAP | Flags.NO_SMTP
_SWITCHES = {
    Flags.NO_POP: "POP3 is off",
    Flags.NO_IMAP: "IMAP is off",
    Flags.NO_SMTP: "SMTP AUTH is off",
    Flags.NO_RELAY: "relaying is off",
    Flags.BOUNCE_MAIL: "mail to it is refused",
}


@dataclass(frozen=True, slots=True)
class PlannedMailbox:
    """A mailbox to be made. `hash` empty: nobody can log in until a password is set. `account`: its name on the old host."""

    address: str
    hash: str
    quota: int
    disabled: bool
    account: VpopmailAccount


@dataclass(frozen=True, slots=True)
class PlannedForward:
    """A forward to be made."""

    address: str
    targets: tuple[str, ...]
    keep_copy: bool


@dataclass(frozen=True, slots=True)
class PlannedCatchall:
    """A catch-all to be set: a mailbox, or targets; neither: unknown addresses are refused."""

    mailbox: str | None = None
    targets: tuple[str, ...] = ()


@dataclass(slots=True)
class DomainPlan:
    """What a domain becomes."""

    name: str
    aliases: tuple[str, ...]
    limits: dict[str, Any] = field(default_factory=dict)
    """Fields of its customer's plan, empty if it needs none."""
    mailboxes: list[PlannedMailbox] = field(default_factory=list)
    forwards: list[PlannedForward] = field(default_factory=list)
    catchall: PlannedCatchall = PlannedCatchall()


def plan(domain: VpopmailDomain, defaults: dict[str, int], notes: Notes) -> DomainPlan:
    """Return what `domain` becomes; `defaults` are the host's limits, for a domain without its own."""
    made = DomainPlan(domain.name, domain.aliases)
    own = domain.limits()
    limits = defaults if own is None else own
    accounts = list(domain.accounts())
    flags = [each for account in accounts if (each := flags_in_force(account.flags, limits)) & _ALL_OFF != _ALL_OFF]
    common = common_flags(flags, limits if not accounts else {})
    made.limits = plan_limits(limits, common)
    if made.limits:
        notes.add("changed", domain.name, f"its limits and common switches become plan {plan_name(made.limits)}")
    if has_permissions(limits):
        notes.add("no place", domain.folder.below(".qmailadmin-limits"), "permissions of a domain's administrator")
    for account in accounts:
        if (mailbox := _mailbox(domain, account, limits, common, notes)) is not None:
            made.mailboxes.append(mailbox)
    _Forwards(domain, made, notes).add()
    return made


def _mailbox(
    domain: VpopmailDomain, account: VpopmailAccount, limits: dict[str, int], common: Flags, notes: Notes
) -> PlannedMailbox | None:
    address = f"{account.name}@{domain.name}"
    if not _LOCAL.fullmatch(account.name):
        notes.add("no place", address, "accounts whose name cannot be an address here")
        return None
    flags = flags_in_force(account.flags, limits)
    disabled = flags & _ALL_OFF == _ALL_OFF
    if disabled:
        notes.add("changed", address, "POP3, IMAP and SMTP AUTH are off: the mailbox is disabled")
    for flag, what in _SWITCHES.items():
        in_plan = flag in common and flag is not Flags.BOUNCE_MAIL
        if flags & flag and not in_plan and not (disabled and flag in _ALL_OFF):
            notes.add("no place", address, what)
    if flags & Flags.DOMAIN_ADMIN:
        notes.add("no place", address, "rights of a domain's administrator")
    if account.messages is not None:
        notes.add("no place", address, "a limit of messages")
    hashed = account.hash if _HASH.fullmatch(account.hash) else ""
    if account.hash and not hashed:
        notes.add("changed", address, "the password's hash is of no kind known here: it needs a new password")
    elif not hashed:
        notes.add("changed", address, "nobody could log in, and nobody can until a password is set")
    return PlannedMailbox(address, hashed, _quota(address, account.quota, notes), disabled, account)


def _quota(address: str, quota: int | None, notes: Notes) -> int:
    if quota is None:
        notes.add("changed", address, "no quota becomes 2 GB")
        return QUOTA_MOST
    if quota < QUOTA_LEAST:
        notes.add("changed", address, "a quota below 25 MB becomes 25 MB")
    elif quota > QUOTA_MOST:
        notes.add("changed", address, "a quota above 2 GB becomes 2 GB")
    return min(max(quota, QUOTA_LEAST), QUOTA_MOST)


class _Forwards:
    """Turns the .qmail files of a domain into forwards and the catch-all."""

    def __init__(self, domain: VpopmailDomain, made: DomainPlan, notes: Notes) -> None:
        self._domain = domain
        self._made = made
        self._notes = notes
        self._last = "", ""
        self._names = {mailbox.account.name for mailbox in made.mailboxes}

    def add(self) -> None:
        """Add what `.qmail-NAME`, the accounts' own `.qmail` and `.qmail-default` say."""
        overruled = set()
        for each in self._domain.addresses():
            if each.local in self._names:
                overruled.add(each.local)
            self._address(each)
        for mailbox in self._made.mailboxes:
            name = mailbox.account.name
            found = None if name in overruled else self._domain.own_dotqmail(mailbox.account)
            if found is not None and not found.is_empty:
                where = f"{mailbox.address}'s .qmail"
                self._forward(name, where, found, at_home=True)
        self._catchall()

    def _address(self, each: QmailAddress) -> None:
        if each.is_prefix:
            lists = any(isinstance(line, ProgramLine) and line.kind == "ezmlm" for line in each.dotqmail.instructions)
            self._no_place(each.path, "mailing lists (ezmlm)" if lists else "wildcards (.qmail-NAME-default)")
        elif not _LOCAL.fullmatch(each.local):
            self._no_place(each.path, "forwards whose name cannot be an address here")
        elif each.dotqmail.is_empty:
            self._no_place(each.path, "a .qmail file of 0 octets, which means qmail's default delivery")
        else:
            self._forward(each.local, each.path, each.dotqmail)

    def _forward(self, local: str, where: str, found: DotQmail, *, at_home: bool = False) -> None:
        if not found.instructions:
            self._no_place(where, "throwing mail away (.qmail with nothing but comments)")
            return
        address = f"{local}@{self._made.name}"
        at_home = at_home and any(_is_own_maildir(line) for line in found.instructions)
        lines = [line for line in found.instructions if not (at_home and _is_own_maildir(line))]
        targets, keep = self._targets(local, where, lines)
        keep = (keep or at_home) and local in self._names
        if len(targets) > MOST_TARGETS:
            self._no_place(where, "forwards with more than 100 targets")
        elif targets:
            self._made.forwards.append(PlannedForward(address, tuple(targets), keep))

    def _targets(self, local: str, where: str, lines: Iterable[Instruction]) -> tuple[list[str], bool]:
        """Return the addresses that the lines deliver to, each once, and whether the mailbox itself is among them."""
        targets: dict[str, None] = {}
        keep = False
        for line in lines:
            if isinstance(line, Vdelivermail):
                if local in self._names or line.otherwise == "bounce":
                    keep = True  # to the account of the address, as without the file
                    continue
                if line.otherwise == "delete":
                    self._no_place(where, "throwing mail away (|vdelivermail '' delete)")
                    continue
                line = line.otherwise
            found = self._target(where, line)
            if found == f"{local}@{self._made.name}":
                keep = True
            elif found is not None:
                targets[found] = None
        return list(targets), keep

    def _target(self, where: str, line: ForwardLine | DeliverTo | ProgramLine | UnknownLine) -> str | None:
        if isinstance(line, ForwardLine):
            try:
                return str(parse_address(line.address))
            except BadAddress:
                self._no_place(where, "forwards to an address without a domain, or that is malformed")
        elif isinstance(line, DeliverTo):
            if line.account is None:
                self._no_place(where, "delivery to a path that names no account")
            elif line.domain in (None, self._made.name) and line.account not in self._names:
                self._no_place(where, "delivery to an account that does not exist")
            else:
                return f"{line.account}@{line.domain or self._made.name}"
        elif isinstance(line, ProgramLine):
            what = {"autorespond": "autoresponders", "ezmlm": "mailing lists (ezmlm)", "maildrop": "maildrop"}
            self._no_place(where, what.get(line.kind, "other programs"))
        else:
            self._no_place(where, f"a line that {line.reason}")
        return None

    def _catchall(self) -> None:
        found = self._domain.catchall()
        where = self._domain.folder.below(".qmail-default")
        if found is None or found.is_empty:
            self._notes.add("changed", where, "there is no catch-all: unknown addresses are refused")
            return
        if any(isinstance(line, Vdelivermail) and line.otherwise == "delete" for line in found.instructions) or not (
            found.instructions
        ):
            self._notes.add("changed", where, "mail to unknown addresses was thrown away, and is refused")
            return
        if not any(isinstance(line, Vdelivermail) for line in found.instructions):
            self._notes.add(
                "changed", where, "took all mail of the domain, and becomes a catch-all for unknown addresses"
            )
        lines = [
            line.otherwise if isinstance(line, Vdelivermail) else line
            for line in found.instructions
            if not (isinstance(line, Vdelivermail) and isinstance(line.otherwise, str))
        ]
        targets = [target for line in lines if (target := self._target(where, line)) is not None]  # type: ignore[arg-type]
        own = [target for target in targets if target.rpartition("@")[2] == self._made.name]
        if len(targets) == 1 and own:
            self._made.catchall = PlannedCatchall(mailbox=targets[0])
        elif targets:
            self._made.catchall = PlannedCatchall(targets=tuple(dict.fromkeys(targets))[:MOST_TARGETS])

    def _no_place(self, where: str, what: str) -> None:
        if (where, what) != self._last:  # two lines of one file
            self._notes.add("no place", where, what)
        self._last = where, what


def _is_own_maildir(line: Instruction) -> bool:
    """Return whether a line of an account's own .qmail delivers to its Maildir by a relative path."""
    return isinstance(line, DeliverTo) and [each for each in line.path.split("/") if each != "."] == ["Maildir", ""]
