"""Where the addresses that reports go to lead, if they are here, as auth says (docs/decisions/0113)."""

from collections.abc import Sequence

from auth_api.client import AuthClient
from auth_api.wire import RecipientQuestion, Target
from queue_worker_api.wire import SubmissionRecipient


class ReportAddresses:
    """Asks auth."""

    def __init__(self, auth: AuthClient) -> None:
        self._auth = auth

    async def leading(self, addresses: Sequence[str]) -> list[SubmissionRecipient]:
        """Return where `addresses` lead, without unknown ones of domains here; by MX those would come back to us. Raises PostriderError."""
        answers = await self._auth.uncharged_recipients([RecipientQuestion(each, "", None, None) for each in addresses])
        found: dict[object, SubmissionRecipient] = {}
        for address, answer in zip(addresses, answers, strict=True):
            for each in [Target(address)] if answer.verdict == "not_relayed" else answer.targets:
                made = SubmissionRecipient(
                    each.address, address, each.mailbox_id, each.quota_limit, each.limit_version, each.via
                )
                found.setdefault(each.mailbox_id or each.address.lower(), made)
        return list(found.values())
