"""P1, P3: user%domain and user@domain; STLS on 110, TLS on 995; the whole of what a POP3 client does."""

import base64
import poplib

import pytest

from tests.support.clients import STRANGER, Pop3, dial, imap, inbox, pop3, smtp, tls_context
from tests.support.mail import message
from tests.support.run import Account, Run, wait_for


def filled(run: Run, count: int = 3) -> tuple[Account, list[bytes]]:
    user = run.mailbox(run.domain())
    sent = [message("a@far.example", user.address, subject=f"m{n}") for n in range(count)]
    with smtp(run, STRANGER) as client:
        for one in sent:
            client.sendmail("", [user.address], one)
    wait_for(lambda: len(inbox(run, user)) == count)
    return user, sent


@pytest.mark.parametrize("form", ["{local}%{domain}", "{local}@{domain}", "{LOCAL}%{domain}"])
def test_both_spellings(run: Run, form: str) -> None:
    user = run.mailbox(run.domain())
    local, _, domain = user.address.partition("@")
    client = pop3(run, user, login=form.format(local=local, LOCAL=local.upper(), domain=domain))
    assert client.stat() == (0, 0)
    client.quit()


def test_every_command(run: Run) -> None:
    user, sent = filled(run)
    client = pop3(run, user)
    count, total = client.stat()
    assert count == 3
    sizes = [int(line.split()[1]) for line in client.list()[1]]
    assert sum(sizes) == total
    uidls = [line.split()[1] for line in client.uidl()[1]]
    assert len(set(uidls)) == 3
    for number, original in enumerate(sent, 1):
        raw = b"\r\n".join(client.retr(number)[1]) + b"\r\n"
        assert raw.endswith(original)
        assert len(raw) == sizes[number - 1]
    top = b"\r\n".join(client.top(1, 1)[1]) + b"\r\n"
    assert top.endswith(b"\r\n\r\nHello,\r\n")
    client.dele(1)
    with pytest.raises(poplib.error_proto):
        client.retr(1)
    client.rset()
    client.dele(2)
    client.noop()
    assert client.stat()[0] == 2
    client.quit()


def test_a_last_line_without_its_end_is_announced_with_it(run: Run) -> None:
    """RFC 1939 11: sizes are as sent, and POP3 sends whole lines; IMAP has the octets as they were appended."""
    user = run.mailbox(run.domain())
    reader = imap(run, user)
    odd = b"Subject: odd\r\n\r\nno end"
    for text in (odd, odd + b"\r\n"):
        assert reader.append("INBOX", "", "", text)[0] == "OK"
    reader.copy("1", "INBOX")
    _, data = reader.fetch("1:3", "(RFC822.SIZE)")
    assert [int(line.split()[-1].rstrip(b")")) for line in data] == [len(odd), len(odd) + 2, len(odd)]
    reader.logout()
    client = pop3(run, user)
    for number in (1, 2, 3):
        answer, lines, octets = client.retr(number)
        assert octets == len(odd) + 2
        assert int(answer.split()[1]) == octets
        assert int(client.list(number).split()[2]) == octets
        assert lines[-1] == b"no end"
    assert client.stat() == (3, 3 * (len(odd) + 2))
    client.quit()


def test_without_quit_nothing_is_removed(run: Run) -> None:
    user, _ = filled(run, 2)
    first = pop3(run, user)
    first.dele(1)
    first.close()  # RFC 1939 6
    assert len(inbox(run, user)) == 2


def test_sasl_plain_over_implicit_tls(run: Run) -> None:
    user = run.mailbox(run.domain())
    with dial(run, "POP3S") as raw:
        tls = tls_context(run).wrap_socket(raw, server_hostname=run.name)
        file = tls.makefile("rb")
        assert file.readline().startswith(b"+OK")
        secret = base64.b64encode(f"\0{user.login}\0{user.password}".encode())
        tls.sendall(b"AUTH PLAIN\r\n")
        assert file.readline().strip() == b"+"
        tls.sendall(secret + b"\r\nSTAT\r\nQUIT\r\n")
        assert file.readline().startswith(b"+OK")
        assert file.readline() == b"+OK 0 0\r\n"
        assert file.readline().startswith(b"+OK")


def test_no_login_without_tls(run: Run) -> None:
    user = run.mailbox(run.domain())
    client = Pop3(run)
    capabilities = client.capa()
    assert "USER" not in capabilities
    assert "SASL" not in capabilities
    assert "STLS" in capabilities
    with pytest.raises(poplib.error_proto, match="-ERR TLS required, use STLS"):
        client.user(user.login)
    client.quit()


def test_a_wrong_password(run: Run) -> None:
    user = run.mailbox(run.domain())
    with pytest.raises(poplib.error_proto, match="AUTH"):
        pop3(run, type(user)(user.address, "wrong"))
