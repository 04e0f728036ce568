"""`python -m smtp_gateway` serves."""

from mailkit.lifecycle import run
from smtp_gateway import main
from smtp_gateway.config import GatewaySettings

if __name__ == "__main__":
    run(main.SERVICE, lambda life: main.serve(life, GatewaySettings.load()))
