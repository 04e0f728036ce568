"""`postrider`: the operators' command line, over the REST APIs; and `postrider run`, the single-machine service."""

import typer

from postrider.commands import certificates, domains, mailboxes, queue, routing

app = typer.Typer(
    name="postrider",
    help="Postrider, a mail service for hosting providers. Every command takes --json for scripts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(domains.app, name="domain")
app.add_typer(mailboxes.app, name="mailbox")
app.add_typer(routing.forward, name="forward")
app.add_typer(domains.catchall, name="catchall")
app.add_typer(routing.badmailfrom, name="badmailfrom")
app.add_typer(routing.grant, name="grant")
app.add_typer(queue.app, name="queue")
app.add_typer(certificates.app, name="certificate")


@app.command("run")
def run() -> None:
    """Run the whole service on this machine; Ctrl-C stops it."""
    from postrider.launcher.run import run as start  # noqa: PLC0415 - the launcher is needed by this command only

    raise typer.Exit(start())


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
