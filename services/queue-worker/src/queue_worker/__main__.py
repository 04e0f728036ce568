"""`python -m queue_worker [serve|migrate|wait-schema|openapi]`."""

from mailkit.process.command import main
from queue_worker.service import PROGRAM

if __name__ == "__main__":
    main(PROGRAM)
