"""`python -m smtp_gateway [serve]`."""

from mailkit.process.command import Program, main
from smtp_gateway.config import GatewaySettings

if __name__ == "__main__":
    main(Program("smtp-gateway", "smtp_gateway", GatewaySettings, traces=True))
