"""One domain: its accounts, its .qmail files, its limits; read on demand from its folder."""

from collections.abc import Iterator
from dataclasses import dataclass

from vpopmail.dotqmail import LARGEST, DeliverTo, DotQmail, address_of, parse
from vpopmail.limits import read_limits
from vpopmail.tree import Skipped, TreeFolder, Unreadable, is_text
from vpopmail.vpasswd import VpopmailAccount, accounts

#: Limit of .qmail files of a domain.
MOST_FILES = 100_000

_PREFIX = ".qmail-"


@dataclass(frozen=True, slots=True)
class QmailAddress:
    """A `.qmail-NAME` file: mail to `local` follows `dotqmail`, also if there is an account of that name.

    `is_prefix`: it is for all local parts that begin with `local` (`.qmail-sales-default`: `sales-`).
    """

    local: str
    is_prefix: bool
    path: str
    dotqmail: DotQmail


class VpopmailDomain:
    """A domain and the names of its alias domains. What cannot be read is told to `skipped`, and left out."""

    def __init__(
        self, name: str, aliases: tuple[str, ...], directory: str, folder: TreeFolder, skipped: Skipped
    ) -> None:
        self.name = name
        self.aliases = aliases
        self.folder = folder
        self._directory = directory
        self._skipped = skipped

    def accounts(self) -> Iterator[VpopmailAccount]:
        """Return the accounts, in the order of their file."""
        return accounts(self.folder, self._skipped)

    def limits(self) -> dict[str, int] | None:
        """Return the domain's own limits; None if it has none."""
        try:
            return read_limits(self.folder, ".qmailadmin-limits", self._skipped)
        except Unreadable as error:
            self._skipped(self.folder.below(".qmailadmin-limits"), str(error))
            return None

    def catchall(self) -> DotQmail | None:
        """Return `.qmail-default`; None if there is none, or it cannot be read."""
        return self._dotqmail(self.folder, ".qmail-default")

    def addresses(self) -> Iterator[QmailAddress]:
        """Yield the other `.qmail-…` files, by name."""
        for name in self._names():
            extension = name.removeprefix(_PREFIX)
            where = self.folder.below(name)
            if not is_text(name):
                self._skipped(where, "has a name that is not UTF-8")
            elif extension != extension.lower():
                self._skipped(where, "has capitals in its name, so qmail never read it")
            elif (found := self._dotqmail(self.folder, name)) is not None:
                is_prefix = extension.endswith("-default")
                local = address_of(extension.removesuffix("default") if is_prefix else extension)
                yield QmailAddress(local, is_prefix, where, found)

    def own_dotqmail(self, account: VpopmailAccount) -> DotQmail | None:
        """Return `.qmail` in the account's folder, which vdelivermail obeys; None if there is none."""
        try:
            with self.home(account) as folder:
                return self._dotqmail(folder, ".qmail")
        except Unreadable:
            return None  # said once, by whoever reads the account's mail

    def home(self, account: VpopmailAccount) -> TreeFolder:
        """Open the account's folder, which has to lie below the domain's. Raises Unreadable."""
        return self.folder.folder(*self._below(account.directory))

    def names(self, target: DeliverTo) -> str | None:
        """Return the account of this domain that a delivery is for; None if it is for none."""
        if target.account is None or (target.domain or self.name) != self.name:
            return None
        return target.account

    def _below(self, directory: str) -> list[str]:
        names = [name for name in directory.split("/") if name]
        above = [name for name in self._directory.split("/") if name]
        if names[: len(above)] == above:
            below = names[len(above) :]
        else:  # the host was moved after the account was made: the folder is still the domain's
            last = self.folder.path.rpartition("/")[2]
            below = names[len(names) - names[::-1].index(last) :] if last in names else []
        if not 1 <= len(below) <= 5 or ".." in below:
            raise Unreadable(f"has its folder outside its domain's: {directory}")
        return below

    def _names(self) -> list[str]:
        names: list[str] = []
        try:
            for entry in self.folder.entries():
                if not entry.name.startswith(_PREFIX) or entry.name in (_PREFIX, ".qmail-default"):
                    continue
                if len(names) == MOST_FILES:
                    self._skipped(
                        self.folder.path, f"has more than {MOST_FILES:,} .qmail files; the others are skipped"
                    )
                    break
                names.append(entry.name)
        except Unreadable as error:
            self._skipped(self.folder.path, str(error))
        return sorted(names)

    def _dotqmail(self, folder: TreeFolder, name: str) -> DotQmail | None:
        try:
            data = folder.read_if_there(name, LARGEST)
            return None if data is None else parse(data)
        except UnicodeDecodeError:
            self._skipped(folder.below(name), "is not UTF-8")
        except (Unreadable, ValueError) as error:
            self._skipped(folder.below(name), str(error))
        return None
