"""The verbs of auth's operators' API (JSON): what the command line calls. One method per operation of openapi.json.

Records are dictionaries as `proto/auth/openapi.json` describes them: `id`, bare addresses, ISO 8601 times. Errors are
those of `mailkit.http.ServiceClient.call`; their text is a sentence for the operator (NotFound, Conflict, BadRequest).
Lists are read page by page, in the order of their keys.

Removing a mailbox takes three steps, each of which may be repeated: `disable_mailbox(address, removal=True)`, purge of
its `id` in mailstore, `delete_mailbox(address)`. A domain likewise: `close_domain`, purge of `postmaster_id`,
`delete_domain`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from mailkit.http import ServiceClient

Record = dict[str, Any]


#: Records of one request: what auth answers well within the client's time.
PAGE = 1000


def _by(*names: str) -> Callable[[Record], str]:
    return lambda record: ",".join(record[name] for name in names)


def _at(*parts: str) -> str:
    return "/v1/" + "/".join(quote(part, safe="@") for part in parts)


class AuthAdmin(ServiceClient):
    """Operators' changes; made with POSTRIDER_AUTH_URL and POSTRIDER_ADMIN_TOKEN."""

    async def domains(self) -> list[Record]:
        """All domains."""
        return await self._pages(_at("domains"), _by("name"))

    async def domain(self, name: str) -> Record:
        """id, name, state, catchall {kind, mailbox, targets}, postmaster_id, mailboxes, created_at."""
        return await self._record("GET", _at("domains", name))

    async def add_domain(self, name: str) -> Record:
        """Makes `postmaster@name` with it, without a usable password (P5)."""
        return await self._record("POST", _at("domains"), {"name": name})

    async def close_domain(self, name: str) -> Record:
        """No mail from now on; Conflict while mailboxes other than postmaster's are left."""
        return await self._record("POST", _at("domains", name, "close"))

    async def delete_domain(self, name: str) -> None:
        """With its postmaster and its forwards; Conflict as `close_domain`."""
        await self.json("DELETE", _at("domains", name))

    async def set_catchall(
        self, name: str, kind: str, *, mailbox: str | None = None, targets: Sequence[str] | None = None
    ) -> Record:
        """L1: kind `mailbox` (with `mailbox`), `forward` (with `targets`) or `bounce`."""
        content = {"kind": kind, "mailbox": mailbox, "targets": list(targets) if targets is not None else None}
        return await self._record("PUT", _at("domains", name, "catchall"), content)

    async def mailboxes(self, name: str) -> list[Record]:
        """The mailboxes of a domain."""
        return await self._pages(_at("domains", name, "mailboxes"), _by("address"))

    async def mailbox(self, address: str) -> Record:
        """id, address, domain, state, has_password, quota_limit, limit_version, credential_version, last_pop3_login,
        created_at."""
        return await self._record("GET", _at("mailboxes", address))

    async def add_mailbox(
        self,
        address: str,
        *,
        password: str | None = None,
        password_hash: str | None = None,
        quota_limit: int | None = None,
    ) -> Record:
        """`quota_limit` in bytes, 25 MB to 2 GB (P2); `password_hash`: a crypt hash brought along from vpopmail."""
        content: Record = {"address": address}
        given = {"password": password, "password_hash": password_hash, "quota_limit": quota_limit}
        content |= {name: value for name, value in given.items() if value is not None}
        return await self._record("POST", _at("mailboxes"), content)

    async def set_password(self, address: str, password: str) -> Record:
        """Ends the mailbox's grants at once and its open sessions within seconds."""
        return await self._record("PUT", _at("mailboxes", address, "password"), {"password": password})

    async def set_quota(self, address: str, quota_limit: int) -> Record:
        """In bytes, 25 MB to 2 GB (P2)."""
        return await self._record("PUT", _at("mailboxes", address, "quota"), {"quota_limit": quota_limit})

    async def disable_mailbox(self, address: str, *, removal: bool = False) -> Record:
        """No logins, sessions and grants. `removal`: no mail either, the first of the three steps."""
        return await self._record("POST", _at("mailboxes", address, "disable"), {"removal": removal})

    async def enable_mailbox(self, address: str) -> Record:
        """Undo `disable_mailbox`; Conflict when a removal was begun."""
        return await self._record("POST", _at("mailboxes", address, "enable"))

    async def delete_mailbox(self, address: str) -> None:
        """The last of the three steps. Conflict while it is enabled, and for postmaster (P5)."""
        await self.json("DELETE", _at("mailboxes", address))

    async def forwards(self, domain: str | None = None) -> list[Record]:
        """id, address, targets, keep_copy, created_at; of one domain or all."""
        return await self._pages(_at("forwards"), _by("address"), domain=domain)

    async def add_forward(self, address: str, targets: Sequence[str], *, keep_copy: bool = False) -> Record:
        """L2. `keep_copy` needs a mailbox of that address."""
        content = {"address": address, "targets": list(targets), "keep_copy": keep_copy}
        return await self._record("POST", _at("forwards"), content)

    async def delete_forward(self, address: str) -> None:
        """NotFound when it does not forward."""
        await self.json("DELETE", _at("forwards", address))

    async def badmailfrom(self) -> list[Record]:
        """S12: id, entry, created_at."""
        return await self._pages(_at("badmailfrom"), _by("entry"))

    async def add_badmailfrom(self, entry: str) -> Record:
        """An address or `@domain`."""
        return await self._record("POST", _at("badmailfrom"), {"entry": entry})

    async def delete_badmailfrom(self, entry: str) -> None:
        """NotFound when it is not on the list."""
        await self.json("DELETE", _at("badmailfrom", entry))

    async def grants(self, *, address: str | None = None, mailbox: str | None = None) -> list[Record]:
        """Living grants, the oldest first: id, address (the client's), mailbox_id, mailbox, granted_at, expires_at."""
        found = await self._pages(_at("grants"), _by("address", "mailbox_id"), address=address, mailbox=mailbox)
        return sorted(found, key=lambda grant: datetime.fromisoformat(grant["granted_at"]))

    async def revoke_grants(self, *, address: str | None = None, mailbox: str | None = None) -> list[Record]:
        """End the grants of a client address, a mailbox, or the one of both; what was ended."""
        return await self._records("DELETE", _at("grants"), address=address, mailbox=mailbox)

    async def revoke_grant(self, grant_id: str) -> list[Record]:
        """End one grant by its id."""
        return await self._records("DELETE", _at("grants", grant_id))

    async def _record(self, method: str, path: str, content: Any = None) -> Record:
        answer: Record = await self.json(method, path, content)
        return answer

    async def _pages(self, path: str, key: Callable[[Record], str], **asked: str | None) -> list[Record]:
        """All records of a list. A release without pages answers every question with all of them."""
        found: list[Record] = []
        page: list[Record] = []
        while not found or len(page) == PAGE:
            after = key(found[-1]) if found else None
            page = await self._records("GET", path, after=after, limit=str(PAGE), **asked)
            if not page or found and page[0] == found[0]:
                break
            found += page
        return found

    async def _records(self, method: str, path: str, **asked: str | None) -> list[Record]:
        named = {name: value for name, value in asked.items() if value is not None}
        answer: list[Record] = await self.json(method, path + (f"?{urlencode(named)}" if named else ""))
        return answer
