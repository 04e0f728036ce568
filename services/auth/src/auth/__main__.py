"""`python -m auth [serve|migrate|wait-schema|openapi]`."""

from auth.service import PROGRAM
from mailkit.process.command import main

if __name__ == "__main__":
    main(PROGRAM)
