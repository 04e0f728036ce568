"""The client of auth's operators' API (JSON), used by the command line. One method per operation of openapi.json.

Records are dictionaries as described in `proto/auth/openapi.json`: `id`, bare addresses, ISO 8601 times. Errors are
those of `mailkit.rpc.client.ServiceClient.call`; their text is a sentence for the operator (NotFound, Conflict, BadRequest).
Lists are read page by page, in the order of their keys.

Removing a mailbox takes three steps, each of which may be repeated: `disable_mailbox(address, removal=True)`, purge of
its `id` in mailstore, `delete_mailbox(address)`. A domain likewise: `close_domain`, purge of `postmaster_id`,
`delete_domain`.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from auth_api.app_passwords import AppPasswordCalls
from auth_api.moves import MoveCalls
from auth_api.records import Record
from auth_api.records import at as _at

#: Records of one request: a number that auth answers well within the client's timeout.
PAGE = 1000


def _by(*names: str) -> Callable[[Record], str]:
    return lambda record: ",".join(record[name] for name in names)


class AuthAdmin(AppPasswordCalls, MoveCalls):
    """The client for operators' changes; built from POSTRIDER_AUTH_URL and POSTRIDER_ADMIN_TOKEN."""

    async def domains(self) -> list[Record]:
        """Return all domains."""
        return await self._pages(_at("domains"), _by("name"))

    async def domain(self, name: str) -> Record:
        """Return id, name, state, catchall {kind, mailbox, targets}, postmaster_id, mailboxes, customer, created_at."""
        return await self._record("GET", _at("domains", name))

    async def add_domain(self, name: str, alias_of: str | None = None, *, customer: str | None = None) -> Record:
        """Add a domain and its mailbox `postmaster@name`, without a usable password (P5), or an alias of another domain."""
        content = {"name": name, "alias_of": alias_of} | ({"customer": customer} if customer else {})
        return await self._record("POST", _at("domains"), content)

    async def set_domain_customer(self, name: str, customer: str | None) -> Record:
        """Give a domain to a customer, or with None back to the operator; return the domain."""
        return await self._record("PUT", _at("domains", name, "customer"), {"customer": customer})

    async def customers(self) -> list[Record]:
        """Return all customers: id, name, plan, domains (their number), created_at."""
        return await self._pages(_at("customers"), _by("name"))

    async def customer(self, name: str) -> Record:
        """Return a customer."""
        return await self._record("GET", _at("customers", name))

    async def customer_domains(self, name: str) -> list[Record]:
        """Return the domains of a customer."""
        return await self._pages(_at("customers", name, "domains"), _by("name"))

    async def add_customer(self, name: str, plan: str | None = None) -> Record:
        """Add a customer, with a plan or without."""
        return await self._record("POST", _at("customers"), {"name": name, "plan": plan})

    async def set_customer(self, name: str, plan: str | None) -> Record:
        """Give a customer another plan, or with None no plan."""
        return await self._record("PUT", _at("customers", name), {"plan": plan})

    async def delete_customer(self, name: str) -> None:
        """Delete a customer; Conflict while domains are theirs."""
        await self.json("DELETE", _at("customers", name))

    async def plans(self) -> list[Record]:
        """Return all plans: id, name, limits, customers (their number), created_at."""
        return await self._pages(_at("plans"), _by("name"))

    async def plan(self, name: str) -> Record:
        """Return a plan."""
        return await self._record("GET", _at("plans", name))

    async def add_plan(self, name: str, limits: Record) -> Record:
        """Add a plan; `limits`: fields of `PlanLimits` in openapi.json."""
        return await self._record("POST", _at("plans"), {"name": name, "limits": limits})

    async def set_plan(self, name: str, limits: Record) -> Record:
        """Set the fields that `limits` has, None: no limit. In force within 5 s."""
        return await self._record("PATCH", _at("plans", name), {"limits": limits})

    async def delete_plan(self, name: str) -> None:
        """Delete a plan; Conflict while customers have it."""
        await self.json("DELETE", _at("plans", name))

    async def close_domain(self, name: str) -> Record:
        """Refuse mail from now on; Conflict while mailboxes other than postmaster's are left."""
        return await self._record("POST", _at("domains", name, "close"))

    async def delete_domain(self, name: str) -> None:
        """Delete a domain with its postmaster and its forwards; Conflict as for `close_domain`."""
        await self.json("DELETE", _at("domains", name))

    async def domain_dns(self, name: str, sending: Sequence[str] = ()) -> Record:
        """Return what a domain's zone should have, what it has and what is wrong: domain, state, records. Takes up to 6 seconds.

        `sending`: the HELO names that its mail leaves by, if not the configured ones.
        """
        asked = f"?{urlencode([('sending', each) for each in sending])}" if sending else ""
        answer: Record = await self.json("GET", _at("domains", name, "dns") + asked, timeout=15.0)
        return answer

    async def dkim_keys(self, name: str) -> list[Record]:
        """Return a domain's DKIM keys: id, domain, selector, algorithm, state, record_name, record, zone_text, created_at, since."""
        return await self._records("GET", _at("domains", name, "dkim"))

    async def make_dkim_keys(self, name: str) -> list[Record]:
        """Make a key for each algorithm that has none; return all."""
        return await self._records("POST", _at("domains", name, "dkim"))

    async def check_dkim_keys(self, name: str) -> list[Record]:
        """Look for the records of new keys now; return all keys."""
        return await self._records("POST", _at("domains", name, "dkim", "check"))

    async def rotate_dkim_keys(self, name: str) -> list[Record]:
        """Make a successor for each active key; return all keys. Conflict if there is none, or one was replaced in the last 7 days."""
        return await self._records("POST", _at("domains", name, "dkim", "rotate"))

    async def remove_dkim_keys(self, name: str) -> None:
        """Remove all keys of a domain, which signs nothing from now on."""
        await self.json("DELETE", _at("domains", name, "dkim"))

    async def set_tags(self, name: str, tags: bool) -> Record:
        """Set whether mail for `name+tag` goes to `name`; return the domain."""
        return await self._record("PUT", _at("domains", name, "tags"), {"tags": tags})

    async def set_identity(self, name: str, level: str | None, by: str | None = None) -> Record:
        """Set the rule on sender addresses: off, log, enforce, None for the default; by domain or mailbox (None: as it is)."""
        return await self._record("PUT", _at("domains", name, "identity"), {"level": level, "by": by})

    async def set_catchall(
        self, name: str, kind: str, *, mailbox: str | None = None, targets: Sequence[str] | None = None
    ) -> Record:
        """Set the catch-all (L1): kind `mailbox` (with `mailbox`), `forward` (with `targets`) or `bounce`."""
        content = {"kind": kind, "mailbox": mailbox, "targets": list(targets) if targets is not None else None}
        return await self._record("PUT", _at("domains", name, "catchall"), content)

    async def mailboxes(self, name: str) -> list[Record]:
        """Return the mailboxes of a domain."""
        return await self._pages(_at("domains", name, "mailboxes"), _by("address"))

    async def mailbox(self, address: str) -> Record:
        """Return the mailbox.

        Its fields: id, address, domain, state, has_password, main_password, quota_limit, limit_version, credential_version, last_pop3_login,
        created_at.
        """
        return await self._record("GET", _at("mailboxes", address))

    async def add_mailbox(
        self,
        address: str,
        *,
        password: str | None = None,
        password_hash: str | None = None,
        quota_limit: int | None = None,
    ) -> Record:
        """Add a mailbox; `quota_limit` in bytes, 25 MB to 2 GB (P2); `password_hash`: a crypt hash from vpopmail."""
        content: Record = {"address": address}
        given = {"password": password, "password_hash": password_hash, "quota_limit": quota_limit}
        content |= {name: value for name, value in given.items() if value is not None}
        return await self._record("POST", _at("mailboxes"), content)

    async def set_password(
        self, address: str, password: str | None = None, *, password_hash: str | None = None
    ) -> Record:
        """Set a password, or its crypt hash; the mailbox's grants end at once and its open sessions within seconds."""
        given = {"password": password, "password_hash": password_hash}
        content = {name: value for name, value in given.items() if value is not None}
        return await self._record("PUT", _at("mailboxes", address, "password"), content)

    async def set_quota(self, address: str, quota_limit: int) -> Record:
        """Set the quota in bytes, 25 MB to 2 GB (P2)."""
        return await self._record("PUT", _at("mailboxes", address, "quota"), {"quota_limit": quota_limit})

    async def disable_mailbox(self, address: str, *, removal: bool = False) -> Record:
        """End logins, sessions and grants. `removal`: refuse mail too, the first of the three steps."""
        return await self._record("POST", _at("mailboxes", address, "disable"), {"removal": removal})

    async def enable_mailbox(self, address: str) -> Record:
        """Undo `disable_mailbox`; Conflict if a removal has begun."""
        return await self._record("POST", _at("mailboxes", address, "enable"))

    async def rename_mailbox(self, address: str, to: str, *, keep_old: bool = True) -> Record:
        """Give a mailbox another address, with everything kept. `keep_old`: the old one forwards to it. Raises NotFound, Conflict."""
        return await self._record("POST", _at("mailboxes", address, "rename"), {"to": to, "keep_old": keep_old})

    async def delete_mailbox(self, address: str) -> None:
        """Delete a mailbox, the last of the three steps; Conflict while it is enabled, and for postmaster (P5)."""
        await self.json("DELETE", _at("mailboxes", address))

    async def forwards(self, domain: str | None = None) -> list[Record]:
        """Return forwards of one domain or all: id, address, targets, keep_copy, created_at."""
        return await self._pages(_at("forwards"), _by("address"), domain=domain)

    async def add_forward(self, address: str, targets: Sequence[str], *, keep_copy: bool = False) -> Record:
        """Add a forward (L2). `keep_copy` needs a mailbox of that address."""
        content = {"address": address, "targets": list(targets), "keep_copy": keep_copy}
        return await self._record("POST", _at("forwards"), content)

    async def set_forward(self, address: str, targets: Sequence[str], *, keep_copy: bool = False) -> Record:
        """Set a forward (L2) in place of the one that there is, if any."""
        content = {"targets": list(targets), "keep_copy": keep_copy}
        return await self._record("PUT", _at("forwards", address), content)

    async def delete_forward(self, address: str) -> None:
        """Delete a forward; NotFound if there is none."""
        await self.json("DELETE", _at("forwards", address))

    async def badmailfrom(self) -> list[Record]:
        """Return the entries of badmailfrom (S12): id, entry, created_at."""
        return await self._pages(_at("badmailfrom"), _by("entry"))

    async def add_badmailfrom(self, entry: str) -> Record:
        """Add an entry: an address or `@domain`."""
        return await self._record("POST", _at("badmailfrom"), {"entry": entry})

    async def delete_badmailfrom(self, entry: str) -> None:
        """Delete an entry; NotFound if it is not on the list."""
        await self.json("DELETE", _at("badmailfrom", entry))

    async def grants(self, *, address: str | None = None, mailbox: str | None = None) -> list[Record]:
        """Return unexpired grants, oldest first: id, address (the client's), mailbox_id, mailbox, granted_at, expires_at."""
        found = await self._pages(_at("grants"), _by("address", "mailbox_id"), address=address, mailbox=mailbox)
        return sorted(found, key=lambda grant: datetime.fromisoformat(grant["granted_at"]))

    async def revoke_grants(self, *, address: str | None = None, mailbox: str | None = None) -> list[Record]:
        """End the grants of a client address, a mailbox, or the one of both; return those that were ended."""
        return await self._records("DELETE", _at("grants"), address=address, mailbox=mailbox)

    async def revoke_grant(self, grant_id: str) -> list[Record]:
        """End one grant by its id; return it in a list."""
        return await self._records("DELETE", _at("grants", grant_id))

    async def caller(self) -> Record:
        """Return what the token in use may do: role, name, token_id, customer_id, domain, expires_at."""
        return await self._record("GET", _at("caller"))

    async def audit(self, **wanted: Any) -> AsyncIterator[list[Record]]:
        """Yield pages of changes, the latest first. `wanted`: actor, object, since (ISO 8601), limit."""
        path = f"/v1/audit?{urlencode(wanted)}"
        while path:
            page, path = await self.page(path)
            yield page

    async def tokens(self, domain: str | None = None) -> list[Record]:
        """Return tokens of one domain or all: id, name, role, customer, domain, made_by, created_at, expires_at, old_until."""
        return await self._pages(_at("tokens"), _by("id"), domain=domain)

    async def add_token(
        self,
        name: str,
        role: str,
        *,
        customer: str | None = None,
        domain: str | None = None,
        expires_at: datetime | None = None,
    ) -> Record:
        """Make a token; `token`, its text, is in this answer only."""
        content = {"name": name, "role": role, "customer": customer, "domain": domain}
        content["expires_at"] = expires_at.isoformat() if expires_at else None
        return await self._record("POST", _at("tokens"), content)

    async def rotate_token(self, token_id: str, keep_seconds: int) -> Record:
        """Give a token another text; the present one is accepted for `keep_seconds`."""
        return await self._record("POST", _at("tokens", token_id, "rotate"), {"keep_seconds": keep_seconds})

    async def revoke_token(self, token_id: str) -> None:
        """Revoke a token; NotFound if there is none."""
        await self.json("DELETE", _at("tokens", token_id))

    async def _record(self, method: str, path: str, content: Any = None) -> Record:
        answer: Record = await self.json(method, path, content)
        return answer

    async def trace(self, **wanted: Any) -> AsyncIterator[list[Record]]:
        """Yield pages of logins and changes, the latest first; a page may have none.

        `wanted`: address, client, newer and older (seconds), limit. A record has id, at, event, address, mailbox_id, client,
        protocol, detail.
        """
        path = f"/v1/trace?{urlencode(wanted)}"
        while path:
            page, path = await self.page(path)
            yield page

    async def _pages(self, path: str, key: Callable[[Record], str], **asked: str | None) -> list[Record]:
        """Return all records of a list. An auth that has no pages returns all of them for each request."""
        found: list[Record] = []
        page: list[Record] = []
        while not found or len(page) == PAGE:
            after = key(found[-1]) if found else None
            page = await self._records("GET", path, after=after, limit=str(PAGE), **asked)
            if not page or (found and page[0] == found[0]):
                break
            found += page
        return found

    async def _records(self, method: str, path: str, **asked: str | None) -> list[Record]:
        named = {name: value for name, value in asked.items() if value is not None}
        answer: list[Record] = await self.json(method, path + (f"?{urlencode(named)}" if named else ""))
        return answer
