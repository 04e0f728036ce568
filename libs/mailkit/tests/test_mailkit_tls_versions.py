"""POSTRIDER_TLS_MINIMUM: what it may say, and what is said when it is wrong."""

import re

import pytest

from mailkit.errors import ConfigError
from mailkit.net.tls_versions import MAILBOX_LISTENERS, SMTP_LISTENERS, VERSIONS, tls_minimums


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((), {"pop3": "1.2", "pop3s": "1.2", "imap": "1.2", "imaps": "1.2"}),
        (("1.3",), {"pop3": "1.3", "pop3s": "1.3", "imap": "1.3", "imaps": "1.3"}),
        (("pop3s=1.0",), {"pop3": "1.2", "pop3s": "1.0", "imap": "1.2", "imaps": "1.2"}),
        (("pop3s = 1.0", "smtps=1.1", "1.3"), {"pop3": "1.3", "pop3s": "1.0", "imap": "1.3", "imaps": "1.3"}),
    ],
)
def test_taken(parts: tuple[str, ...], expected: dict[str, str]) -> None:
    found = tls_minimums(parts, MAILBOX_LISTENERS)
    assert found == {listener: VERSIONS[version] for listener, version in expected.items()}


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (("pop4=1.0",), "'pop4' is not a listener; there are smtp, smtps, submission, pop3, pop3s, imap, imaps"),
        (("POP3S=1.0",), "'POP3S' is not a listener"),
        (("1",), "'1' is not one of 1.0, 1.1, 1.2, 1.3"),
        (("pop3s=SSLv3",), "'SSLv3' is not one of"),
        (("pop3s=",), "'' is not one of"),
        (("=1.0",), "'' is not a listener"),
        (("pop3s=1.0", "pop3s=1.1"), "pop3s is given twice"),
        (("1.2", "1.3"), "the version of all listeners is given twice"),
    ],
)
def test_refused(parts: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"POSTRIDER_TLS_MINIMUM: {sentence}")):
        tls_minimums(parts, SMTP_LISTENERS)
