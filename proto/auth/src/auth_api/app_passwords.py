"""The part of the operators' client that is about app passwords (docs/decisions/0123)."""

from collections.abc import Sequence
from datetime import datetime

from auth_api.records import Record, at
from mailkit.rpc.client import ServiceClient


class AppPasswordCalls(ServiceClient):
    """The operations on `/v1/mailboxes/{address}/app-passwords` and `…/main-password`."""

    async def app_passwords(self, address: str) -> list[Record]:
        """Return a mailbox's: id, name, protocols, networks, expires_at, created_at, last_used_at (to the hour), last_used_from."""
        answer: list[Record] = await self.json("GET", at("mailboxes", address, "app-passwords"))
        return answer

    async def make_app_password(
        self,
        address: str,
        name: str,
        *,
        protocols: Sequence[str] = (),
        networks: Sequence[str] = (),
        expires_at: datetime | None = None,
    ) -> Record:
        """Make an app password; its text is in the record's `password`, now only. No protocols: all."""
        content: Record = {"name": name, "networks": list(networks)}
        if protocols:
            content["protocols"] = list(protocols)
        if expires_at is not None:
            content["expires_at"] = expires_at.isoformat()
        answer: Record = await self.json("POST", at("mailboxes", address, "app-passwords"), content)
        return answer

    async def revoke_app_password(self, address: str, id: str) -> None:
        """Revoke an app password; its sessions end within 5 s. NotFound if there is none."""
        await self.json("DELETE", at("mailboxes", address, "app-passwords", id))

    async def set_main_password(self, address: str, enabled: bool) -> Record:
        """Say whether mail clients may log in with the main password; return the mailbox."""
        content = {"enabled": enabled}
        answer: Record = await self.json("PUT", at("mailboxes", address, "main-password"), content)
        return answer
