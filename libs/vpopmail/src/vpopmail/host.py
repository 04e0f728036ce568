"""A vpopmail host: a folder with `users/`, `domains/`, `etc/`, or a copied root with `var/qmail` and `home/vpopmail`."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from vpopmail.assign import Assigned, assigned
from vpopmail.domain import VpopmailDomain
from vpopmail.limits import read_limits
from vpopmail.tree import Skipped, TreeFolder, Unreadable

#: Where qmail's and vpopmail's folders lie below the given one, most likely first.
_QMAIL = ((), ("var", "qmail"))
_VPOPMAIL = ((), ("home", "vpopmail"), ("var", "vpopmail"), ("usr", "local", "vpopmail"), ("opt", "vpopmail"))


class VpopmailHost:
    """The domains of a host. Paths in its files are those of the old host: they are found again below the given folder."""

    def __init__(self, path: str, skipped: Skipped) -> None:
        """Open the folder. Raises Unreadable, for a folder that holds no vpopmail too."""
        self._skipped = skipped
        self._root = TreeFolder.root(path)
        try:
            self._users = _first(self._root, _QMAIL, "users")
            self._home = _first(self._root, _VPOPMAIL, "domains")
        except Unreadable:
            self._root.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._root.close()

    def default_limits(self) -> dict[str, int]:
        """Return `etc/vlimits.default`, which holds for domains without limits of their own."""
        try:
            with self._root.folder(*self._home, "etc") as folder:
                return read_limits(folder, "vlimits.default", self._skipped) or {}
        except Unreadable:
            return {}

    def count(self) -> int:
        """Return how many domains there are. Raises Unreadable."""
        return sum(each.name == each.real for each in self._table(lambda path, reason: None))

    def domains(self) -> Iterator[VpopmailDomain]:
        """Yield the domains by name; each is open until the next one. Raises Unreadable if qmail's table cannot be read."""
        table, path = self._table(self._skipped), "/".join((*self._users, "users"))
        aliases: dict[str, list[str]] = {}
        real = {each.name for each in table if each.name == each.real}
        for each in table:
            if each.name != each.real and each.real in real:
                aliases.setdefault(each.real, []).append(each.name)
            elif each.name != each.real:
                self._skipped(path, f"has the alias domain {each.name} of {each.real}, which is no domain here")
        for each in table:
            if each.name == each.real:
                yield from self._open(each, tuple(aliases.get(each.name, ())))

    def _table(self, skipped: Skipped) -> list[Assigned]:
        with self._root.folder(*self._users, "users") as users:
            try:
                return sorted(assigned(users, skipped), key=lambda each: each.name)
            except Unreadable as error:
                raise Unreadable(f"{users.path}: the table of domains {error}") from None

    def _open(self, each: Assigned, aliases: tuple[str, ...]) -> Iterator[VpopmailDomain]:
        try:
            folder = self._root.folder(*self._places(each))
        except Unreadable as error:
            self._skipped(each.name, f"has no folder below domains: {each.directory} {error}")
            return
        with folder:
            yield VpopmailDomain(each.name, aliases, each.directory, folder, self._skipped)

    def _places(self, each: Assigned) -> tuple[str, ...]:
        """Return the names that lead to the folder of a domain. Raises Unreadable."""
        names = [name for name in each.directory.split("/") if name]
        if "domains" not in names:
            raise Unreadable("does not lie in a folder domains")
        below = names[names.index("domains") :]
        if len(below) < 2 or len(below) > 6 or ".." in below:
            raise Unreadable("does not lie in a folder domains")
        return (*self._home, *below)


def _first(root: TreeFolder, places: tuple[tuple[str, ...], ...], wanted: str) -> tuple[str, ...]:
    for place in places:
        try:
            with root.folder(*place, wanted):
                return place
        except Unreadable:
            continue
    where = " or ".join("/".join((*place, wanted)) for place in places[:2])
    raise Unreadable(f"holds no vpopmail: there is no folder {where}")
