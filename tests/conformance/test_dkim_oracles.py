"""What smtp-gateway's step signs, dkimpy, opendkim and rspamd verify (POSTRIDER_TEST_DKIM_MESSAGES: how many messages)."""

import os
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from auth_api.wire import DkimSigner
from mailauth.dkim import keys
from mailauth.dkim.keys import PrivateKey
from mailkit.mail.header import header_of
from mailkit.process.clock import SystemClock
from mailkit.rpc.batch import Batcher
from smtp_gateway.sign import Signatures
from tests.conformance.oracles import by_dkimpy, by_opendkim, by_rspamd, rspamd
from tests.support.dkim_corpus import corpus
from tests.support.gateway import Services

COUNT = int(os.environ.get("POSTRIDER_TEST_DKIM_MESSAGES", "200"))
KEYS: dict[str, PrivateKey] = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "ed": ed25519.Ed25519PrivateKey.generate(),
}
BOTH = ["rsa", "ed"]


def needs(program: str) -> pytest.MarkDecorator:
    there = shutil.which(program, path="/usr/sbin:/usr/bin:/bin")
    return pytest.mark.skipif(there is None, reason=f"{program} is absent: scripts/install-conformance")


@pytest.fixture(scope="module")
async def messages() -> list[bytes]:
    """The corpus, each message signed with both keys."""
    services = Services()
    services.keys = KEYS
    signers = [DkimSigner("here.test", name, keys.algorithm_of(key)) for name, key in KEYS.items()]
    step = Signatures(Batcher(services.signatures), SystemClock())
    return [
        await step.fields(b"", header_of(each), each, "joe@here.test", signers, None, None) + each
        for each in corpus(COUNT)
    ]


def broken(messages: list[bytes]) -> list[bytes]:
    return [each.replace(b"joe@here.test", b"jim@here.test") for each in messages[:20]]


def others(found: list[list[str]]) -> list[tuple[int, list[str]]]:
    """Messages of which not both signatures were verified."""
    return [(n, each) for n, each in enumerate(found) if each != BOTH]


def test_dkimpy(messages: list[bytes]) -> None:
    assert others(by_dkimpy(messages, "here.test", KEYS)) == []
    assert by_dkimpy(broken(messages), "here.test", KEYS) == [[]] * 20


@needs("opendkim")
def test_opendkim(messages: list[bytes], tmp_path: Path) -> None:
    assert others(by_opendkim(tmp_path, messages, "here.test", KEYS)) == []
    assert by_opendkim(tmp_path, broken(messages), "here.test", KEYS) == [[]] * 20


@needs("rspamd")
def test_rspamd(messages: list[bytes], tmp_path: Path) -> None:
    with rspamd(tmp_path, "here.test", KEYS) as url:
        found = by_rspamd(url, messages)
        assert by_rspamd(url, broken(messages)) == [[]] * 20
    assert [n for n, _ in others(found) if not is_blank(messages[n])] == []


def is_blank(message: bytes) -> bool:
    """Whether a body is white space that begins with a space or tab.

    No line of it counts (RFC 6376 3.4.4), but Debian's rspamd 3.4 hashes it; repaired since (issue 5590 of rspamd/rspamd).
    """
    body = message.partition(b"\r\n\r\n")[2]
    return body[:1] in (b" ", b"\t") and not body.strip()
