"""`python -m pop_imap_frontend [serve]`."""

from mailkit import command
from pop_imap_frontend import main
from pop_imap_frontend.config import FrontendSettings

if __name__ == "__main__":
    command.main(command.Program(main.SERVICE, "pop_imap_frontend", FrontendSettings, main.serve))
