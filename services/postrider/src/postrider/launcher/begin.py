"""The command `postrider run`: a mail service on loopback, from an empty folder. What precedes the first process."""

import sys

from mailkit.errors import ConfigError
from postrider.launcher import state
from postrider.launcher.parent import ForkedService, divide
from postrider.launcher.plan import make_plan


def begin() -> int:
    """Run until Ctrl-C or SIGTERM; return the exit status. An error is one sentence on standard error.

    It returns also in the processes of the services, which are forked here (decision 135).
    """
    try:
        plan = make_plan()
        lock = state.take(plan)
        state.check_ports(plan)
        part = divide(lock)
    except KeyboardInterrupt:  # before anything was started
        return 0
    except (OSError, ConfigError) as error:
        return _failed(error)
    if isinstance(part, ForkedService):
        return part.run()
    try:
        # what only the launcher needs would be in the memory of every service
        from postrider.launcher.run import run  # noqa: PLC0415

        with lock:
            return run(plan, part)
    except KeyboardInterrupt:
        return 0
    except (OSError, ConfigError) as error:
        return _failed(error)


def _failed(error: OSError | ConfigError) -> int:
    sentence = f"{error.filename or 'the system'}: {error.strerror or error}" if isinstance(error, OSError) else error
    print(f"postrider: {sentence}", file=sys.stderr)
    return 78
