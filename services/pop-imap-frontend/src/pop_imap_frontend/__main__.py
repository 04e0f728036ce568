"""`python -m pop_imap_frontend [serve]`."""

from mailkit.process.command import Program, main
from pop_imap_frontend.config import FrontendSettings

if __name__ == "__main__":
    main(Program("pop-imap-frontend", "pop_imap_frontend", FrontendSettings))
