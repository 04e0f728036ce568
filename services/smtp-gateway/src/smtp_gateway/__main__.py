"""`python -m smtp_gateway [serve]`."""

from mailkit.process.command import main
from smtp_gateway.service import PROGRAM

if __name__ == "__main__":
    main(PROGRAM)
