"""The program `postrider`: the operators' commands over the REST APIs, and `postrider run`, the single-machine service."""

import os
import sys

import typer

from postrider.commands import (
    app_passwords,
    auditing,
    certificates,
    checking,
    customers,
    domains,
    exporting,
    importing,
    mailboxes,
    pauses,
    plans,
    probing,
    queue_actions,
    routes,
    routing,
    simulate,
    suppressions,
    tokens,
    trace,
    undelete,
)
from postrider.commands.common import fail

app = typer.Typer(
    name="postrider",
    help="Postrider, a mail service for hosting providers. Every command but run takes --json for scripts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # drawing boxes takes longer than the rest of --help
)
app.add_typer(customers.app, name="customer")
app.add_typer(plans.app, name="plan")
app.add_typer(domains.app, name="domain")
app.add_typer(mailboxes.app, name="mailbox")
mailboxes.app.command("main-password")(app_passwords.main_password)
app.add_typer(app_passwords.app, name="app-password")
mailboxes.app.command("deleted")(undelete.deleted)
mailboxes.app.command("undelete")(undelete.undelete)
app.add_typer(routing.forward, name="forward")
app.add_typer(domains.catchall, name="catchall")
app.add_typer(routing.badmailfrom, name="badmailfrom")
app.add_typer(routing.grant, name="grant")
app.add_typer(queue_actions.app, name="queue")
for _name, _command in pauses.COMMANDS.items():
    queue_actions.app.command(_name)(_command)
app.add_typer(routes.app, name="route")
app.add_typer(suppressions.app, name="suppression")
app.add_typer(certificates.app, name="certificate")
app.add_typer(tokens.app, name="token")
app.add_typer(checking.app, name="mailstore")
app.add_typer(importing.app, name="import")
app.command("export")(exporting.export)
app.command("audit")(auditing.audit)
app.command("trace")(trace.trace)
app.command("probe")(probing.probe)
app.command("simulate")(simulate.simulate)


@app.command("run")
def run() -> None:
    """Run the whole service on this machine; Ctrl-C stops it."""
    # as a program of its own: a run does not keep the memory of the command line
    os.execv(sys.executable, [sys.executable, "-m", "postrider.launcher"])  # noqa: S606 - our own program


def main() -> None:
    """Run the console script. Status 0: done; 1: refused; 2: wrong usage; 78: no service is configured."""
    try:
        sys.exit(_run())
    except BrokenPipeError:  # `postrider queue ls | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _run() -> int:
    """Run the app; return its exit status. Errors are one sentence, as promised to scripts, instead of Typer's boxes."""
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except typer.Abort:
        print("postrider: stopped, nothing more was changed", file=sys.stderr)
        return 130
    except Exception as error:
        say = getattr(error, "format_message", None)  # of a usage error, whose class is internal to Typer
        if say is None:
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            return 2  # the help has been printed
        try:
            fail(f"{str(say()).rstrip('.')}; `--help` shows how", 2)
        except typer.Exit as end:
            return end.exit_code


if __name__ == "__main__":
    main()
