"""`python -m pop_imap_frontend` serves."""

from mailkit.lifecycle import run
from pop_imap_frontend import main
from pop_imap_frontend.config import FrontendSettings

if __name__ == "__main__":
    run(main.SERVICE, lambda life: main.serve(life, FrontendSettings.load()))
