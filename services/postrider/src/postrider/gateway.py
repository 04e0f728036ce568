"""The client of smtp-gateway's simulations (JSON): no service calls smtp-gateway, so it has no contract package."""

from typing import Any

from mailkit.rpc.client import ServiceClient


class GatewaySimulator(ServiceClient):
    """The client of smtp-gateway's simulations; built from POSTRIDER_GATEWAY_URL and POSTRIDER_TOKEN_SIMULATE_GATEWAY."""

    async def simulate(self, case: dict[str, Any]) -> dict[str, Any]:
        """Return steps (command, reply, rules), accepted, account and destinations. Raises BadRequest."""
        found: dict[str, Any] = await self.json("POST", "/v1/simulate", case, timeout=60)
        return found
