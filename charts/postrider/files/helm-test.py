"""helm test: makes a mailbox, sends it a message through SMTP, reads it by IMAP and POP3, and removes the mailbox.

Runs in the front end's image with Python's own library only. Names inside the cluster are not in the certificate, so
it is not verified here.
"""

import imaplib
import json
import os
import poplib
import secrets
import smtplib
import ssl
import time
import urllib.error
import urllib.request

DOMAIN = f"helm-test-{secrets.token_hex(4)}.example"
ADDRESS = f"probe@{DOMAIN}"
PASSWORD = secrets.token_urlsafe(18)
MARK = secrets.token_hex(8)
TLS = ssl._create_unverified_context()
# where the service runs on other ports (on one machine)
SUBMISSION, IMAPS, POP3S = (
    int(os.environ.get(name, port)) for name, port in (("SUBMISSION", 587), ("IMAPS", 993), ("POP3S", 995))
)


def ask(method: str, url: str, body: object = None) -> dict:
    """One call of an operators' endpoint, answered in JSON."""
    headers = {"Authorization": f"Bearer {os.environ['ADMIN_TOKEN']}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=30) as reply:
        text = reply.read()
    return json.loads(text) if text else {}


def send() -> None:
    with smtplib.SMTP(os.environ["SMTP_HOST"], SUBMISSION, timeout=30) as smtp:
        smtp.starttls(context=TLS)
        smtp.login(ADDRESS, PASSWORD)
        smtp.sendmail(ADDRESS, [ADDRESS], f"From: {ADDRESS}\r\nTo: {ADDRESS}\r\nSubject: {MARK}\r\n\r\nhelm test\r\n")


def read_by_imap() -> None:
    until = time.monotonic() + 60
    with imaplib.IMAP4_SSL(os.environ["READ_HOST"], IMAPS, ssl_context=TLS, timeout=30) as imap:
        imap.login(ADDRESS, PASSWORD)
        while True:
            imap.select("INBOX", readonly=True)
            found = imap.search(None, "SUBJECT", MARK)[1][0]
            if found:
                return
            if time.monotonic() > until:
                raise SystemExit("the message was accepted but is not in INBOX after 60 s")
            time.sleep(0.5)


def read_by_pop3() -> None:
    pop3 = poplib.POP3_SSL(os.environ["READ_HOST"], POP3S, context=TLS, timeout=30)
    pop3.user(ADDRESS)
    pop3.pass_(PASSWORD)
    text = b"\n".join(pop3.retr(1)[1]).decode()
    pop3.quit()
    if MARK not in text:
        raise SystemExit("POP3 shows another message than the one sent")


def main() -> None:
    auth, mailstore = os.environ["AUTH_URL"], os.environ["MAILSTORE_URL"]
    ask("POST", f"{auth}/v1/domains", {"name": DOMAIN})
    mailbox = ask("POST", f"{auth}/v1/mailboxes", {"address": ADDRESS, "password": PASSWORD})
    try:
        for step in (send, read_by_imap, read_by_pop3):
            started = time.monotonic()
            step()
            print(f"{step.__name__}: {time.monotonic() - started:.2f} s", flush=True)
    finally:  # disable, purge, delete: the order that leaves nothing behind
        ask("POST", f"{auth}/v1/mailboxes/{ADDRESS}/disable")
        ask("DELETE", f"{mailstore}/v1/mailboxes/{mailbox['id']}")
        ask("DELETE", f"{auth}/v1/mailboxes/{ADDRESS}")
        ask("POST", f"{auth}/v1/domains/{DOMAIN}/close")
        ask("DELETE", f"{auth}/v1/domains/{DOMAIN}")


if __name__ == "__main__":
    try:
        main()
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{error.url} answered {error.code}: {error.read().decode()}") from None
