"""The screen that is shown when the run is ready."""

from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from postrider.launcher.plan import HOST, LISTEN, Plan


def show(console: Console, plan: Plan, users: list[tuple[str, str]], ca_file: Path, env_file: Path) -> None:
    """Print hosts and ports, the demo mailboxes, the certificate, three commands, and how to stop."""
    ports = plan.ports
    table = Table.grid(padding=(0, 2))
    table.add_row(
        "SMTP", f"{LISTEN}:{ports['SMTP']} (STARTTLS)", f"{ports['SMTPS']} (TLS)", f"{ports['SUBMISSION']} (submission)"
    )
    table.add_row("POP3", f"{LISTEN}:{ports['POP3']} (STLS)", f"{ports['POP3S']} (TLS)", "")
    table.add_row("IMAP", f"{LISTEN}:{ports['IMAP']} (STARTTLS)", f"{ports['IMAPS']} (TLS)", "")
    console.print(Panel(table, title="Postrider is ready", expand=False))
    (alice, secret), (bob, _) = users[0], users[1]
    for address, password in users:
        console.print(f"  mailbox      {address}   password {password}", highlight=False)
    console.print(f"  certificate  {ca_file}  (CA of {HOST})", highlight=False)
    console.print(f"  for scripts  {env_file}\n", highlight=False)
    for line in (
        f"swaks --server {HOST}:{ports['SUBMISSION']} --tls --auth PLAIN --auth-user {alice} --auth-password {secret} --from {alice} --to {bob}",
        f"curl --cacert {ca_file} --user '{bob}:{users[1][1]}' 'imaps://{HOST}:{ports['IMAPS']}/INBOX;MAILINDEX=1'",
        f"{plan.environ.get('POSTRIDER_CLI', '.venv/bin/postrider')} queue ls",
    ):
        console.print(f"  $ {line}", highlight=False, soft_wrap=True)
    console.print("\n  Ctrl-C stops it; mail and accounts stay.", highlight=False)
