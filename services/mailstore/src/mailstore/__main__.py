"""`python -m mailstore [serve|migrate|wait-schema|openapi]`."""

from mailkit.process.command import main
from mailstore.service import PROGRAM

if __name__ == "__main__":
    main(PROGRAM)
