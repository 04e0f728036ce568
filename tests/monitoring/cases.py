"""For each alert: series with which it has to fire, and series of an ordinary day with which it must not.

Values are promtool's: `a+bxn` is a, then n steps of b, a minute each.
"""

import re
from dataclasses import dataclass, field
from typing import Any

Series = dict[str, str]


@dataclass(frozen=True)
class Case:
    """`labels`: what each firing alert carries besides the rule's own. `after`: when it is looked at."""

    bad: Series
    good: Series
    quiet: Series = field(default_factory=dict)
    """A second ordinary day: hardly any mail, a new installation, or replicas that say the same."""
    after: str = "40m"
    labels: list[dict[str, str]] = field(default_factory=lambda: [{}])
    value: str = ""
    """How the firing value is written in the annotations."""

    def annotations(self, rule: dict[str, Any], labels: dict[str, str]) -> dict[str, str]:
        """The rule's annotations with value and labels filled in, as Prometheus does."""

        def fill(text: str) -> str:
            text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: labels.get(match[1], ""), text)
            return re.sub(r"\{\{ \$value[^}]*\}\}", self.value, text)

        return {name: fill(text) for name, text in rule["annotations"].items()}


_REJECTED, _ACCEPTED = "postrider_gateway_rejected_total", "postrider_gateway_accepted_total"
_ATTEMPTS, _FILED = "postrider_queue_attempts_total", "postrider_mailstore_filed_total"
_IN_DOUBT, _LOST_BOUNCES = "postrider_queue_in_doubt_total", "postrider_queue_bounce_failed_total"
_OLDEST, _ENDPOINT = "postrider_queue_oldest_due_seconds", "postrider_http_request_seconds"
_SERVICES = ("auth", "mailstore", "queue-worker", "smtp-gateway", "pop-imap-frontend")


def _running(*components: str, version: str = "1", values: str = "1x300") -> Series:
    return {
        f'postrider_build_info{{component="{name}",version="{version}",instance="{name}:1",job="{name}"}}': values
        for name in components
    }


def _slow(below: str, above: str, values: str) -> Series:
    """An endpoint all of whose answers take between two of its buckets' bounds."""
    labels = 'job="auth",endpoint="/v1/senders",outcome="ok"'
    return {
        f'{_ENDPOINT}_bucket{{{labels},le="{below}"}}': values if float(below) < 1 else "0x60",
        f'{_ENDPOINT}_bucket{{{labels},le="{above}"}}': values,
        f'{_ENDPOINT}_bucket{{{labels},le="+Inf"}}': values,
        f"{_ENDPOINT}_count{{{labels}}}": values,
    }


def _stalls(within: str, beyond: str) -> Series:
    """The loop's timer in one process: `within` half a second, and altogether."""
    labels = 'job="auth",instance="auth:1",cause="work"'
    name = "postrider_process_loop_stall_seconds"
    return {f'{name}_bucket{{{labels},le="0.5"}}': within, f"{name}_count{{{labels}}}": beyond}


CASES = {
    "PostriderMailDeferred": Case(
        {f'{_ACCEPTED}{{listener="smtp"}}': "0+60x60", f'{_REJECTED}{{reason="away"}}': "0+60x60"},
        {
            f'{_ACCEPTED}{{listener="smtp"}}': "0+6000x60",
            f'{_REJECTED}{{reason="away"}}': "0+600x60",
            f'{_REJECTED}{{reason="no_mailbox"}}': "0+6000x60",
        },
        {f'{_ACCEPTED}{{listener="smtp"}}': "0x60", f'{_REJECTED}{{reason="away"}}': "0+1x60"},
        value="1",
    ),
    "PostriderQueueNotMoving": Case(
        {
            f'{_OLDEST}{{kind="remote",instance="a"}}': "0+60x60",
            f'{_ATTEMPTS}{{kind="remote",end="delivered",instance="a"}}': "9x60",
            f'{_ATTEMPTS}{{kind="remote",end="returned",instance="a"}}': "0+60x60",
            f'{_OLDEST}{{kind="local",instance="a"}}': "0x60",
            f'{_ATTEMPTS}{{kind="local",end="delivered",instance="a"}}': "9x60",
        },
        {
            f'{_OLDEST}{{kind="remote",instance="a"}}': "0+60x60",
            f'{_ATTEMPTS}{{kind="remote",end="deferred",instance="a"}}': "0+1x60",
        },
        {
            f'{_OLDEST}{{kind="remote",instance="a"}}': "1x60",
            f'{_ATTEMPTS}{{kind="remote",end="delivered",instance="a"}}': "0x60",
        },
        labels=[{"kind": "remote"}],
        value="40m 0s",
    ),
    "PostriderQueueLate": Case(
        {f'{_OLDEST}{{kind="local",instance="a"}}': "400x60", f'{_OLDEST}{{kind="local",instance="b"}}': "390x60"},
        {f'{_OLDEST}{{kind="local",instance="a"}}': "2x60", f'{_OLDEST}{{kind="remote",instance="a"}}': "9999x60"},
        {f'{_OLDEST}{{kind="local",instance="a"}}': "200x60", f'{_OLDEST}{{kind="local",instance="b"}}': "200x60"},
        labels=[{"kind": "local"}],
        value="6m 40s",
    ),
    "PostriderRemoteQueueLate": Case(
        {f'{_OLDEST}{{kind="remote",instance="a"}}': "2400x60"},
        {f'{_OLDEST}{{kind="remote",instance="a"}}': "900x60"},
        {f'{_OLDEST}{{kind="remote",instance="a"}}': "1000x60", f'{_OLDEST}{{kind="remote",instance="b"}}': "1000x60"},
        labels=[{"kind": "remote"}],
        value="40m 0s",
    ),
    "PostriderQueueGrowing": Case(
        {
            'postrider_queue_recipients{kind="remote",state="waiting",instance="a"}': "4000x60 30000x60",
            'postrider_queue_recipients{kind="remote",state="waiting",instance="b"}': "4000x60 30000x60",
        },
        {'postrider_queue_recipients{kind="remote",state="waiting",instance="a"}': "40x60 3000x60"},
        {'postrider_queue_recipients{kind="remote",state="waiting",instance="a"}': "20000x120"},
        after="90m",
        value="30k",
    ),
    "PostriderRemoteDeferred": Case(
        {
            f'{_ATTEMPTS}{{kind="remote",end="deferred"}}': "0+60x120",
            f'{_ATTEMPTS}{{kind="remote",end="delivered"}}': "0+6x120",
        },
        {
            f'{_ATTEMPTS}{{kind="remote",end="deferred"}}': "0+60x120",
            f'{_ATTEMPTS}{{kind="remote",end="delivered"}}': "0+600x120",
        },
        {f'{_ATTEMPTS}{{kind="remote",end="deferred"}}': "0+1x120"},
        after="100m",
        value="1",
    ),
    "PostriderLocalDeliveryFailing": Case(
        {f'{_FILED}{{answer="no_space"}}': "0+60x60", f'{_FILED}{{answer="failed"}}': "0+1x60"},
        {
            f'{_FILED}{{answer="no_space"}}': "0x60",
            f'{_FILED}{{answer="filed"}}': "0+60x60",
            f'{_FILED}{{answer="full"}}': "0+60x60",
        },
        {f'{_FILED}{{answer="no_space"}}': "0x60", f'{_FILED}{{answer="failed"}}': "0x35 1 2 3x30"},
        labels=[{"answer": "no_space"}],
        value="600",
    ),
    "PostriderInDoubt": Case(
        {_IN_DOUBT: "0+2x60", f'{_ATTEMPTS}{{kind="remote",end="delivered"}}': "0+60x60"},
        {_IN_DOUBT: "0+2x60", f'{_ATTEMPTS}{{kind="remote",end="delivered"}}': "0+6000x60"},
        {_IN_DOUBT: "0x20 3x40", f'{_ATTEMPTS}{{kind="remote",end="in_doubt"}}': "0x20 3x40"},
        value="60",
    ),
    "PostriderBouncesLost": Case(
        {_LOST_BOUNCES: "0+2x120", "postrider_queue_bounced_total": "0+3x120"},
        {_LOST_BOUNCES: "0+2x120", "postrider_queue_bounced_total": "0+30x120"},
        {_LOST_BOUNCES: "0x20 20x100", "postrider_queue_bounced_total": "0x20 20x100"},
        after="100m",
        value="120",
    ),
    "PostriderProbeFails": Case(
        {
            'postrider_probe_failures_total{step="auth"}': "0+1x60",
            'postrider_probe_failures_total{step="imap"}': "0x60",
        },
        {'postrider_probe_failures_total{step="auth"}': "0x20 2x40"},
        {'postrider_probe_failures_total{step="auth"}': "0x60"},
        labels=[{"step": "auth"}],
        value="10",
    ),
    "PostriderBodiesLost": Case(
        {"postrider_mailstore_lost_bodies_total": "0+1x120"},
        {"postrider_mailstore_lost_bodies_total": "0x120"},
        after="100m",
        value="60",
    ),
    "PostriderLoginsFail": Case(
        {
            'postrider_frontend_logins_total{protocol="imap",outcome="away"}': "0+60x60",
            'postrider_frontend_logins_total{protocol="imap",outcome="ok"}': "0+60x60",
        },
        {
            'postrider_frontend_logins_total{protocol="imap",outcome="refused"}': "0+600x60",
            'postrider_frontend_logins_total{protocol="imap",outcome="ok"}': "0+600x60",
            'postrider_frontend_logins_total{protocol="imap",outcome="away"}': "0+1x60",
        },
        {'postrider_frontend_logins_total{protocol="imap",outcome="busy"}': "0+1x60"},
        value="1",
    ),
    "PostriderManyRefusals": Case(
        {f'{_REJECTED}{{reason="no_relay"}}': "0+600x60", f'{_ACCEPTED}{{listener="smtp"}}': "0+30x60"},
        {f'{_REJECTED}{{reason="no_relay"}}': "0+600x60", f'{_ACCEPTED}{{listener="smtp"}}': "0+90x60"},
        {f'{_REJECTED}{{reason="no_relay"}}': "0+60x60", f'{_ACCEPTED}{{listener="smtp"}}': "0x60"},
        labels=[{"reason": "no_relay"}],
        value="10",
    ),
    "PostriderTraceLag": Case(
        {'postrider_gateway_trace_lag_seconds{instance="a"}': "0x5 900x60"},
        {'postrider_gateway_trace_lag_seconds{instance="a"}': "0x5 900x10 0x60"},
        value="900",
    ),
    "PostriderPasswordGuessing": Case(
        {'postrider_auth_logins_total{protocol="smtp",outcome="refused"}': "0+600x60"},
        {
            'postrider_auth_logins_total{protocol="smtp",outcome="refused"}': "0+60x60",
            'postrider_auth_logins_total{protocol="imap",outcome="ok"}': "0+60x60",
        },
        {
            'postrider_auth_logins_total{protocol="smtp",outcome="refused"}': "0+600x60",
            'postrider_auth_logins_total{protocol="imap",outcome="ok"}': "0+6000x60",
        },
        value="10",
    ),
    "PostriderConnectionsRefused": Case(
        {
            'postrider_listener_refused_total{listener="smtp",reason="no_header"}': "0+120x60",
            'postrider_listener_refused_total{listener="smtp",reason="gone"}': "0+1200x60",
        },
        {
            'postrider_listener_refused_total{listener="smtp",reason="gone"}': "0+1200x60",
            'postrider_listener_refused_total{listener="smtp",reason="too_many"}': "0+6x60",
        },
        labels=[{"reason": "no_header"}],
        value="2",
    ),
    "PostriderCertificateExpires": Case(
        {
            'postrider_tls_expiry_timestamp_seconds{which="default"}': "187200x200",
            'postrider_tls_expiry_timestamp_seconds{which="soonest"}': "187200x200",
        },
        {
            'postrider_tls_expiry_timestamp_seconds{which="default"}': "5000000x200",
            'postrider_tls_expiry_timestamp_seconds{which="soonest"}': "0x200",
        },
        after="2h",
        labels=[{"which": "default"}, {"which": "soonest"}],
        value="2d 2h 0m 0s",
    ),
    "PostriderCertificateBroken": Case(
        {'postrider_tls_certificates{state="broken"}': "2x60"},
        {'postrider_tls_certificates{state="broken"}': "0x60"},
        value="2",
    ),
    "PostriderServiceMissing": Case(
        _running(*_SERVICES[1:]),
        _running(*_SERVICES),
        _running(*_SERVICES)
        | {'postrider_build_info{component="auth",version="1",instance="auth:2",job="auth"}': "1x10 stale"},
        value="4",
    ),
    "PostriderPodNotScraped": Case(
        {'up{job="auth",instance="auth:1"}': "0x60", 'up{job="auth",instance="auth:2"}': "1x60"},
        {'up{job="auth",instance="auth:1"}': "1x30 0x12 stale", 'up{job="grafana",instance="grafana:1"}': "0x60"},
        labels=[{"job": "auth", "instance": "auth:1", "namespace": "mail"}],
    ),
    "PostriderEndpointErrors": Case(
        {
            f'{_ENDPOINT}_count{{job="auth",endpoint="/v1/senders",outcome="failed"}}': "0+60x60",
            f'{_ENDPOINT}_count{{job="auth",endpoint="/v1/senders",outcome="ok"}}': "0+600x60",
            f'{_ENDPOINT}_count{{job="auth",endpoint="/v1/logins",outcome="ok"}}': "0+600x60",
        },
        {
            f'{_ENDPOINT}_count{{job="auth",endpoint="/v1/senders",outcome="failed"}}': "0+6x60",
            f'{_ENDPOINT}_count{{job="auth",endpoint="/v1/senders",outcome="ok"}}': "0+600x60",
        },
        {
            f'{_ENDPOINT}_count{{job="auth",endpoint="/v1/senders",outcome="failed"}}': "0+1x60",
            f'{_ENDPOINT}_count{{job="auth",endpoint="/v1/senders",outcome="ok"}}': "0x60",
        },
        labels=[{"job": "auth", "endpoint": "/v1/senders"}],
        value="1",
    ),
    "PostriderEndpointSlow": Case(
        _slow("1", "2.5", "0+60x60"),
        _slow("0.1", "2.5", "0+60x60"),
        _slow("1", "2.5", "0+1x60"),
        labels=[{"job": "auth", "endpoint": "/v1/senders"}],
        value="2.425s",
    ),
    "PostriderVersionsMixed": Case(
        _running("auth") | _running("auth", version="2"),
        _running("auth", "mailstore"),
        _running("auth", values="1x100 stale") | _running("auth", version="2", values="_x70 1x200"),
        after="2h",
        labels=[{"component": "auth"}],
    ),
    "PostriderServiceAway": Case(
        {
            'postrider_upstream_seconds_count{upstream="auth",endpoint="/v1/senders",outcome="unanswered"}': "0+60x60",
            'postrider_upstream_seconds_count{upstream="auth",endpoint="/v1/senders",outcome="ok"}': "0+60x60",
        },
        {
            'postrider_upstream_seconds_count{upstream="auth",endpoint="/v1/senders",outcome="refused"}': "0+60x60",
            'postrider_upstream_seconds_count{upstream="auth",endpoint="/v1/senders",outcome="ok"}': "0+60x60",
        },
        {'postrider_upstream_seconds_count{upstream="auth",endpoint="/v1/senders",outcome="away"}': "0+1x60"},
        labels=[{"upstream": "auth"}],
        value="1",
    ),
    "PostriderTokensRefused": Case(
        {'postrider_http_refused_total{reason="unauthorised"}': "0+2x60"},
        {'postrider_http_refused_total{reason="unauthorised"}': "0x10 3x50"},
        value="30",
    ),
    "PostriderUpkeepStopped": Case(
        {
            'postrider_singleton_runs_total{task="queue.maintain",outcome="ok"}': "1x400",
            'postrider_singleton_runs_total{task="auth.maintain",outcome="ok"}': "0+1x400",
        },
        {
            'postrider_singleton_runs_total{task="queue.maintain",outcome="ok",instance="a"}': "1x60 2x60 3x60 4x60 5x60 6x60",
            'postrider_singleton_runs_total{task="queue.maintain",outcome="ok",instance="b"}': "0x400",
        },
        {'postrider_singleton_runs_total{task="queue.maintain",outcome="ok"}': "_x250 0x200"},
        after="350m",
        labels=[{"task": "queue.maintain"}],
    ),
    "PostriderBusyProcess": Case(
        _running("auth")
        | {
            'process_cpu_seconds_total{instance="auth:1",job="auth"}': "0+57x60",
            'process_cpu_seconds_total{instance="other:1",job="other"}': "0+60x60",
        },
        _running("auth") | {'process_cpu_seconds_total{instance="auth:1",job="auth"}': "0+30x60"},
        labels=[{"instance": "auth:1", "job": "auth", "namespace": "mail"}],
        value="0.95",
    ),
    "PostriderLoopStalls": Case(
        _stalls(within="0+600x60", beyond="0+602x60"),
        _stalls(within="0+600x60", beyond="0+600x60"),
        _stalls(within="0+600x60", beyond="0+600x20 12003+600x39"),
        labels=[{"instance": "auth:1", "job": "auth", "namespace": "mail"}],
        value="20",
    ),
    "PostriderDatabaseAway": Case(
        {'postrider_postgres_up{instance="a"}': "0x60", 'postrider_postgres_up{instance="b"}': "0x60"},
        {'postrider_postgres_up{instance="a"}': "0x60", 'postrider_postgres_up{instance="b"}': "1x60"},
        {'postrider_postgres_up{instance="a"}': "1x39 0 1x30"},
    ),
    "PostriderDatabaseNotDurable": Case(
        {'postrider_postgres_durable{instance="a"}': "0x60", 'postrider_postgres_durable{instance="b"}': "1x60"},
        {'postrider_postgres_durable{instance="a"}': "1x60", 'postrider_postgres_durable{instance="b"}': "1x60"},
    ),
    "PostriderDatabaseConnections": Case(
        {"postrider_postgres_backends": "95x60", "postrider_postgres_connections_limit": "100x60"},
        {"postrider_postgres_backends": "30x60", "postrider_postgres_connections_limit": "100x60"},
        {"postrider_postgres_backends": "0x60", "postrider_postgres_connections_limit": "0x60"},
        value="95",
    ),
    "PostriderPoolExhausted": Case(
        {
            'postrider_database_wait_seconds_bucket{job="auth",le="0.5"}': "0x60",
            'postrider_database_wait_seconds_bucket{job="auth",le="1"}': "0+60x60",
            'postrider_database_wait_seconds_bucket{job="auth",le="+Inf"}': "0+60x60",
            'postrider_database_wait_seconds_count{job="auth"}': "0+60x60",
        },
        {
            'postrider_database_wait_seconds_bucket{job="auth",le="0.5"}': "0+60x60",
            'postrider_database_wait_seconds_bucket{job="auth",le="1"}': "0+60x60",
            'postrider_database_wait_seconds_bucket{job="auth",le="+Inf"}': "0+60x60",
            'postrider_database_wait_seconds_count{job="auth"}': "0+60x60",
        },
        labels=[{"job": "auth"}],
        value="950ms",
    ),
    "PostriderObjectStoreAway": Case(
        {'postrider_objects_failed_total{kind="ranges"}': "0+60x60"},
        {'postrider_objects_failed_total{kind="ranges"}': "3x60"},
        labels=[{"kind": "ranges"}],
        value="1",
    ),
    "PostriderOldTransaction": Case(
        {'postrider_postgres_oldest_transaction_seconds{job="mailstore"}': "700x60"},
        {'postrider_postgres_oldest_transaction_seconds{job="mailstore"}': "30x60"},
        labels=[{"job": "mailstore"}],
        value="11m 40s",
    ),
    "PostriderDiskFilling": Case(
        {'postrider_disk_free_bytes{disk="data"}': "5x60", 'postrider_disk_size_bytes{disk="data"}': "100x60"},
        {
            'postrider_disk_free_bytes{disk="data"}': "50x60",
            'postrider_disk_size_bytes{disk="data"}': "100x60",
            'kubelet_volume_stats_available_bytes{persistentvolumeclaim="backup"}': "1x60",
            'kubelet_volume_stats_capacity_bytes{persistentvolumeclaim="backup"}': "100x60",
        },
        quiet={
            'kubelet_volume_stats_available_bytes{persistentvolumeclaim="postrider-postgres"}': "30x60",
            'kubelet_volume_stats_capacity_bytes{persistentvolumeclaim="postrider-postgres"}': "100x60",
        },
        value="5%",
    ),
    "PostriderFilingSlow": Case(
        {
            'postrider_mailstore_filing_seconds_bucket{le="2.5"}': "0x60",
            'postrider_mailstore_filing_seconds_bucket{le="10"}': "0+60x60",
            'postrider_mailstore_filing_seconds_bucket{le="+Inf"}': "0+60x60",
            "postrider_mailstore_filing_seconds_count": "0+60x60",
        },
        {
            'postrider_mailstore_filing_seconds_bucket{le="0.5"}': "0+60x60",
            'postrider_mailstore_filing_seconds_bucket{le="10"}': "0+60x60",
            'postrider_mailstore_filing_seconds_bucket{le="+Inf"}': "0+60x60",
            "postrider_mailstore_filing_seconds_count": "0+60x60",
        },
        value="9.925s",
    ),
}
