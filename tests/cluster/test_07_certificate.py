"""7: a changed certificate is in force for new connections within 60 s, and old sessions live on.

How long the kubelet takes to bring the changed secret into the pod is counted apart.
"""

import base64
import json
import socket
import ssl
import time

import trustme

from tests.cluster.test_01_install import imap
from tests.cluster.world import Release
from tests.support.run import Account, wait_for


def _served(address: str, port: int) -> bytes:
    context = ssl._create_unverified_context()
    with socket.create_connection((address, port), 30) as raw, context.wrap_socket(raw) as tls:
        return tls.getpeercert(binary_form=True) or b""


def test_a_rotated_certificate_is_in_force_without_a_restart(release: Release, account: Account) -> None:
    issued = trustme.CA().issue_cert("mail.example.net")
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    new = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
    data = {"tls.crt": chain, "tls.key": issued.private_key_pem.bytes()}
    patch = {"data": {key: base64.b64encode(value).decode() for key, value in data.items()}}

    def there(component: str) -> bool:
        path = "/etc/postrider/certificates/default/tls.crt"
        command = ["exec", f"deployment/{release.prefix}-{component}", "--", "cat", path]
        return release.kubectl(*command, check=False).encode() == chain

    old = release.outside(lambda: imap(release, account))
    before = release.outside(lambda: (_served(release.smtp, 465), _served(release.reading, 993)))
    assert new not in before
    started = time.monotonic()
    release.kubectl("patch", "secret", f"{release.prefix}-self-signed", "-p", json.dumps(patch))
    wait_for(lambda: there("smtp-gateway") and there("pop-imap-frontend"), 180, "the kubelet's update of the pods")
    kubelet = time.monotonic() - started

    def in_force() -> bool:
        return (_served(release.smtp, 465), _served(release.reading, 993)) == (new, new)

    release.outside(lambda: wait_for(in_force, 60, "the new certificate"))
    print(f"the kubelet took {kubelet:.1f} s, the services {time.monotonic() - started - kubelet:.1f} s more")
    assert old.noop()[0] == "OK"
    old.logout()
