"""App passwords of a mailbox, and whether its main password is good for mail clients, for operators (JSON)."""

from uuid import UUID

from fastapi import APIRouter, Response

from auth.admin.app_passwords import AppPassword, AppPasswordRules, NewAppPassword, SetMainPassword, ShownAppPassword
from auth.admin.models import Mailbox


def router(rules: AppPasswordRules) -> APIRouter:
    """Return the routes of `/v1/mailboxes/{address}/app-passwords` and `/v1/mailboxes/{address}/main-password`."""
    api = APIRouter(prefix="/v1/mailboxes/{address}", tags=["app passwords"])

    @api.get("/app-passwords", operation_id="app_passwords")
    async def app_passwords(address: str) -> list[AppPassword]:
        """List the app passwords of a mailbox by name: at most 50."""
        return await rules.of(address)

    @api.post("/app-passwords", operation_id="make_app_password", status_code=201)
    async def make_app_password(address: str, question: NewAppPassword) -> ShownAppPassword:
        """Make an app password. Its text is in this answer only."""
        return await rules.make(address, question)

    @api.delete("/app-passwords/{id}", operation_id="revoke_app_password", status_code=204)
    async def revoke_app_password(address: str, id: UUID) -> Response:
        """Revoke an app password: logins with it are refused at once, its sessions end within 5 s, the mailbox's grants at once."""
        await rules.revoke(address, id)
        return Response(status_code=204)

    @api.put("/main-password", operation_id="set_main_password")
    async def set_main_password(address: str, question: SetMainPassword) -> Mailbox:
        """Say whether mail clients may log in with the main password. Switched off, its sessions end within 5 s."""
        return await rules.set_main(address, question)

    return api
