"""`certificate add`: the pair is checked, and changes as a pair whatever moment the machine stops at."""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
import typer

from mailkit.net.tls import CertificateStore
from mailkit.net.tls_versions import SMTP_LISTENERS, tls_minimums
from postrider.commands import certificates, pairs

AUTHORITY = trustme.CA()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "certificates"
    made.mkdir()
    monkeypatch.setenv("POSTRIDER_STATE", str(tmp_path))
    monkeypatch.delenv("POSTRIDER_CERTIFICATES", raising=False)
    return made


def issue(tmp_path: Path, name: str = "smtp.x.test") -> tuple[Path, Path]:
    made = AUTHORITY.issue_cert(name)
    cert, key = tmp_path / "given.crt", tmp_path / "given.key"
    cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    return cert, key


def in_force(place: Path) -> tuple[bytes, bytes]:
    """The pair, which OpenSSL takes as one."""
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(place / "tls.crt", place / "tls.key")
    return (place / "tls.crt").read_bytes(), (place / "tls.key").read_bytes()


@pytest.mark.parametrize("name", ["smtp.x.test", "*.x.test", "default", "SMTP.X.test."])
def test_it_is_put_in_force_for_its_name_only_ours_to_read(folder: Path, tmp_path: Path, name: str) -> None:
    cert, key = issue(tmp_path)
    for _ in range(2):
        certificates.add(name, cert, key)
    place = folder / name.lower().rstrip(".")
    assert in_force(place) == (cert.read_bytes(), key.read_bytes())
    assert all(os.stat(place / file).st_mode & 0o777 == 0o600 for file in ("tls.crt", "tls.key"))
    assert len(list(place.glob("..?*"))) == 2, "the version in force and the link to it"


def test_a_pair_that_is_none_changes_nothing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cert, key = issue(tmp_path)
    certificates.add("x.test", cert, key)
    before = in_force(folder / "x.test")
    other = tmp_path / "other.key"
    other.write_bytes(AUTHORITY.issue_cert("else.test").private_key_pem.bytes())
    for given, why in (
        ((cert, other), "does not belong"),
        ((key, key), "not a PEM certificate"),
        ((cert, cert), "not a PEM certificate"),
        ((cert, tmp_path / "none"), "none cannot be read: No such file"),
    ):
        with pytest.raises(typer.Exit):
            certificates.add("x.test", *given)
        assert why in capsys.readouterr().err
    assert in_force(folder / "x.test") == before


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "", ".", "a b", "*", "a.*.test", "x" * 254, "a\nb"])
def test_a_name_that_is_no_host_name(folder: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(typer.Exit):
        certificates.add(name, *issue(tmp_path))
    assert list(folder.iterdir()) == []


def layouts(place: Path, tmp_path: Path) -> Iterator[None]:
    """How the pair before may lie there: plain files, links of somebody's own, our links."""
    cert, key = issue(tmp_path)
    place.mkdir()
    (place / "tls.crt").write_bytes(cert.read_bytes())
    (place / "tls.key").write_bytes(key.read_bytes())
    yield
    for name in ("crt", "key"):
        (tmp_path / f"live.{name}").write_bytes((place / f"tls.{name}").read_bytes())
        (place / f"tls.{name}").unlink()
        (place / f"tls.{name}").symlink_to(tmp_path / f"live.{name}")
    yield


@pytest.mark.parametrize("layout", [0, 1, 2])
def test_killed_at_any_change_of_the_folder_the_pair_is_whole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: int
) -> None:
    """Every rename is a line to die at; what was in force before, or the new pair, is what a start finds."""

    class Killed(BaseException):
        pass

    rename = Path.replace
    reached = 0
    for after in range(10):
        place = folder / f"n{after}.test"
        steps = layouts(place, tmp_path)
        for _ in range(min(layout, 1) + 1):
            next(steps)
        if layout == 2:
            pairs.store(place, *(path.read_bytes() for path in issue(tmp_path)))
        old = in_force(place)
        new = tuple(path.read_bytes() for path in issue(tmp_path))
        left = after

        def dies(self: Path, target: Path) -> Path:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return rename(self, target)

        monkeypatch.setattr(Path, "replace", dies)
        monkeypatch.setattr(pairs, "_tidy", lambda place: None)  # a killed process tidies nothing
        try:
            pairs.store(place, *new)
        except Killed:
            reached += 1
        monkeypatch.undo()
        assert in_force(place) in (old, new)
        again = tuple(path.read_bytes() for path in issue(tmp_path))
        pairs.store(place, *again)
        assert in_force(place) == again and len(list(place.glob("..?*"))) == 2
    assert reached == (1 if layout == 2 else 4)


def test_a_running_listener_takes_the_new_pair(folder: Path, tmp_path: Path) -> None:
    now = 0.0
    pairs.store(folder / "default", *(path.read_bytes() for path in issue(tmp_path)))
    store = CertificateStore(folder, tls_minimums((), SMTP_LISTENERS), monotonic=lambda: now)
    pairs.store(folder / "x.test", *(path.read_bytes() for path in issue(tmp_path)))
    first = store.context_for("x.test", "smtps")
    assert first is not store.context_for("else.test", "smtps")
    pairs.store(folder / "x.test", *(path.read_bytes() for path in issue(tmp_path)))
    now += 60
    assert store.context_for("x.test", "smtps") is not first


def test_an_unreadable_one_is_listed_without_its_expiry(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "x.test").mkdir()
    (folder / "x.test" / "tls.crt").write_text("no certificate")
    certificates.ls(json=True)
    assert '"expires": null' in capsys.readouterr().out
    certificates.ls()
    assert "unreadable" in capsys.readouterr().out
