"""`python -m smtp_gateway [serve]`."""

from mailkit.command import main
from smtp_gateway.service import PROGRAM

if __name__ == "__main__":
    main(PROGRAM)
