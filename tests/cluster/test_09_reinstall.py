"""9: `helm uninstall` leaves the data, and a new install finds it: mail, accounts, grants; the secrets are the same."""

import json
import time

from tests.cluster.test_01_install import pop3, smtp, subjects
from tests.cluster.world import OFFICE, Release
from tests.support.mail import message
from tests.support.run import Account, wait_for


def _secrets(release: Release) -> dict[str, object]:
    kept = release.objects("secrets")
    return {item["metadata"]["name"]: item["data"] for item in kept if item["type"] != "helm.sh/release.v1"}


def test_everything_is_there_after_uninstall_and_install(release: Release, account: Account) -> None:
    def write() -> None:
        client = smtp(release)
        text = message("friend@elsewhere.example", account.address, subject="kept")
        client.sendmail("friend@elsewhere.example", [account.address], text)
        client.quit()
        wait_for(lambda: subjects(release, account) == ["kept"], 30)
        pop3(release, account, OFFICE).quit()

    def grants() -> list[tuple[str, str]]:
        rows = release.admin("GET", "auth", f"grants?mailbox={account.address}")
        return [(row["address"], row["expires_at"]) for row in rows]

    release.outside(write)
    wait_for(grants, 10)
    before, secrets = grants(), _secrets(release)
    started = time.monotonic()
    release.uninstall()
    # the finished pod of `helm test` is a hook's: it stays until the next one
    wait_for(lambda: not release.objects("pods", "-l", "app.kubernetes.io/component!=test"), 120, "no pod left")
    removed = time.monotonic() - started
    assert not release.objects("services")
    started = time.monotonic()
    release.install()
    print(f"uninstalled in {removed:.1f} s, installed and ready again in {time.monotonic() - started:.1f} s")
    assert json.dumps(_secrets(release), sort_keys=True) == json.dumps(secrets, sort_keys=True)
    assert grants() == before

    def read() -> None:
        assert subjects(release, account) == ["kept"]
        client = smtp(release, OFFICE)
        client.mail(account.address)
        assert client.rcpt("somebody@elsewhere.example")[0] == 250  # by the grant of before
        client.quit()

    release.outside(read)
