"""`python -m smtp_gateway [serve]`."""

from mailkit import command
from smtp_gateway import main
from smtp_gateway.config import GatewaySettings

if __name__ == "__main__":
    command.main(command.Program(main.SERVICE, "smtp_gateway", GatewaySettings, main.serve))
