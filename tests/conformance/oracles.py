"""dkimpy, Debian's opendkim and Debian's rspamd as verifiers of DKIM signatures of one domain."""

import json
import re
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import dkim

from mailauth.dkim import keys
from mailauth.dkim.keys import PrivateKey
from mailkit.testing.dns import FakeDns
from mailkit.testing.parent import end_with_parent
from mailkit.testing.speed import patient
from tests.support.outside import quoted
from tests.support.run import wait_for

#: The environment of both programs: no proxy for loopback, and Debian's folder for servers.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/bin"}
#: Messages that one opendkim is given.
AT_ONCE = 100


def by_dkimpy(messages: Sequence[bytes], domain: str, holders: Mapping[str, PrivateKey]) -> list[list[str]]:
    """Of each message, the selectors whose signature dkimpy verifies. The signatures are in the order of `holders`."""
    records = {f"{name}._domainkey.{domain}.": keys.record_of(key).encode() for name, key in holders.items()}
    return [
        [
            name
            for at, name in enumerate(holders)
            if dkim.DKIM(message).verify(at, dnsfunc=lambda asked, timeout=5: records[asked.decode()])
        ]
        for message in messages
    ]


def by_opendkim(
    folder: Path, messages: Sequence[bytes], domain: str, holders: Mapping[str, PrivateKey]
) -> list[list[str]]:
    """Of each message, the selectors whose signature opendkim verifies."""
    zone, config = folder / "zone", folder / "opendkim.conf"
    zone.write_text("".join(f"{name}._domainkey.{domain} {keys.record_of(key)}\n" for name, key in holders.items()))
    lines = ["Syslog no", "Socket inet:1@127.0.0.1", "Mode v", f"TestDNSData file:{zone}", "AlwaysAddARHeader yes"]
    config.write_text("\n".join([*lines, "AuthservID here", ""]))
    found: list[list[str]] = []
    for start in range(0, len(messages), AT_ONCE):
        paths = []
        for n, message in enumerate(messages[start : start + AT_ONCE]):
            paths.append(folder / f"{n}.eml")
            paths[-1].write_bytes(message)
        done = subprocess.run(
            ["opendkim", "-x", str(config), "-t", ",".join(map(str, paths)), "-vv"],
            capture_output=True,
            timeout=patient(60),
            env=ENVIRONMENT,
        )
        said = done.stdout.decode("utf-8", "replace").split("hname='Authentication-Results'")[1:]
        assert len(said) == len(paths), done.stderr
        found += [re.findall(r"dkim=pass [^;]*header\.s=(\w+)", each) for each in said]
    return found


@contextmanager
def rspamd(folder: Path, domain: str, holders: Mapping[str, PrivateKey]) -> Iterator[str]:
    """The URL of an rspamd on loopback that does nothing but verify DKIM, with the keys in a DNS server of its own."""
    with FakeDns() as dns, socket.create_server(("127.0.0.1", 0)) as free:
        for name, key in holders.items():
            dns.set(f"{name}._domainkey.{domain}", TXT=[quoted(keys.record_of(key))])
        port = free.getsockname()[1]
        free.close()
        config = folder / "rspamd.conf"
        config.write_text(
            f"""
            options {{
                pidfile = "{folder}/pid"; control_socket = "{folder}/control mode=0600"; dynamic_conf = "{folder}/dynamic";
                hs_cache_dir = "{folder}"; stats_file = "{folder}/stats"; history_file = "{folder}/history"; tempdir = "{folder}";
                filters = "dkim"; disable_monitoring = true; dns {{ nameserver = ["{dns.server}"]; timeout = 5s; }}
            }}
            logging {{ type = "console"; level = "error"; }}
            worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 2; }}
            dkim {{ dkim_cache_size = 100; }}
            """
        )
        process = subprocess.Popen(
            ["rspamd", "-f", "-i", "-c", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            preexec_fn=end_with_parent(),
        )
        try:
            wait_for(lambda: _answers(port), 60)
            yield f"http://127.0.0.1:{port}/checkv2"
        finally:
            process.terminate()
            process.wait(patient(20))


def by_rspamd(url: str, messages: Sequence[bytes]) -> list[list[str]]:
    """Of each message, the selectors whose signature rspamd verifies."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(message: bytes) -> list[str]:
        # an outside client's address: mail of local ones is not looked at
        request = urllib.request.Request(
            url, message, {"IP": "192.0.2.1", "From": "joe@here.test", "Rcpt": "a@far.test"}
        )
        with opener.open(request, timeout=patient(20)) as reply:
            symbols = json.load(reply)["symbols"]
        return [each.partition(":s=")[2] for each in symbols.get("R_DKIM_ALLOW", {}).get("options", [])]

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(ask, messages))


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), patient(1)).close()
    except OSError:
        return False
    return True
