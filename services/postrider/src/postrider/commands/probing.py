"""`postrider probe`: sends and reads messages of its own, to see that the service works for customers."""

import ssl
from typing import Annotated

import typer

from postrider.commands.common import endpoint, fail, settings

#: A top-level domain that is reserved: nobody else has it.
DOMAIN = "postrider-probe.invalid"


def probe(
    once: Annotated[bool, typer.Option("--once", help="One round; status 1 if a step failed.")] = False,
    smtp_host: Annotated[str, typer.Option(help="Where SMTP is; by default POSTRIDER_HOST.")] = "",
    read_host: Annotated[str, typer.Option(help="Where POP3 and IMAP are; by default the same.")] = "",
    domain: Annotated[str, typer.Option(help="The domain of its two mailboxes, which it makes.")] = DOMAIN,
    grant: Annotated[bool, typer.Option(help="Also send by an OPEN-SMTP grant, which is revoked at once.")] = True,
    metrics_port: Annotated[int, typer.Option(min=0, max=65535, help="Serve /metrics there; 0: do not.")] = 0,
) -> None:
    """Send messages by a fresh OPEN-SMTP grant and by SMTP AUTH, and read them by IMAP and POP3, every 90 seconds.

    Each round is one line of JSON: the seconds of each step, and why steps failed. The two mailboxes are its own; no customer's mailbox
    is logged in to. `--no-grant` where this machine's address may hold no grant (docs/operate/probe.md).
    """
    from postrider import probe as probing  # noqa: PLC0415 - `--help` needs no clients

    known = settings()
    url, token = endpoint("AUTH")
    host = smtp_host or known.get("HOST", "")
    if not host:
        fail("set POSTRIDER_HOST, or give --smtp-host and --read-host", 2)
    try:
        tls = ssl.create_default_context(cafile=known.get("CA_FILE"))
    except OSError as error:
        fail(f"POSTRIDER_CA_FILE: {error.strerror}")
    ports = {name: int(known.get(f"{name.upper()}_PORT", default)) for name, default in _PORTS.items()}
    made = probing.Probe(
        probing.ProbedService(
            url, token, host, read_host or host, ports["submission"], ports["imaps"], ports["pop3s"], tls=tls
        ),
        domain,
        grant=grant,
    )
    try:
        made.prepare()
    except OSError as error:
        fail(f"the probe's mailboxes cannot be made: {error}")
    if metrics_port:
        probing.serve_metrics(metrics_port)
    if not once:
        probing.run(made, probing.EVERY)
    good = made.round()
    print(probing.line(made))
    raise typer.Exit(0 if good else 1)


_PORTS = {"submission": 587, "imaps": 993, "pop3s": 995}
