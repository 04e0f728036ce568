"""`python -m pop_imap_frontend [serve]`."""

from mailkit.process.command import main
from pop_imap_frontend.service import PROGRAM

if __name__ == "__main__":
    main(PROGRAM)
