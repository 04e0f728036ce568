"""Metrics of auth; no address or domain is a label."""

from prometheus_client import Counter, Gauge, Histogram

from mailkit.process.metrics import from_zero

LOGINS = from_zero(
    Counter(
        "postrider_auth_logins_total",
        "Logins by protocol and outcome: ok, refused, throttled, too_soon (P4), busy",
        ["protocol", "outcome"],
    ),
    ("smtp", "pop3", "imap"),
    ("ok", "refused", "throttled", "too_soon", "busy"),
)
GRANTS = Counter("postrider_auth_grants_given_total", "OPEN-SMTP grants given or renewed by logins")
RECIPIENTS = from_zero(
    Counter(
        "postrider_auth_recipients_total",
        "RCPT questions by verdict: accepted, no_mailbox (S14), not_relayed (S10), loop, too_many, bad_address, moving",
        ["verdict"],
    ),
    ("accepted", "no_mailbox", "not_relayed", "loop", "too_many", "bad_address", "moving"),
)
SENDERS = from_zero(
    Counter(
        "postrider_auth_senders_total",
        "MAIL questions by what was found: grant (OPEN-SMTP), auth, no_right, badmailfrom (S12)",
        ["found"],
    ),
    ("grant", "auth", "no_right", "badmailfrom"),
)
SESSIONS_ENDED = Counter("postrider_auth_sessions_ended_total", "Open sessions found to be no longer good")
HASH_WAITING = Gauge("postrider_auth_hash_waiting_count", "Passwords waiting for or in their hash")
HASH_SECONDS = Histogram(
    "postrider_auth_hash_seconds",
    "Time one password check took in its thread",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2.5),
)
REMEMBERED = Counter("postrider_auth_remembered_total", "Password checks answered from memory")
REHASHED = Counter("postrider_auth_rehashed_total", "Legacy password hashes replaced after a login")
KEY_FETCHES = from_zero(
    Counter(
        "postrider_auth_issuer_key_fetches_total",
        "Fetches of the keys of the issuer of access tokens: ok, failed",
        ["outcome"],
    ),
    ("ok", "failed"),
)
REMOVED = from_zero(
    Counter(
        "postrider_auth_maintenance_removed_total",
        "Rows removed by maintenance, by table: grants, operations, login_failures, login_networks, relay_use, relay_rates, "
        "remembered_passwords, "
        "scram_verifiers (POSTRIDER_SCRAM is none), dkim_keys, audit",
        ["table"],
    ),
    (
        "grants",
        "operations",
        "login_failures",
        "login_networks",
        "relay_use",
        "relay_rates",
        "remembered_passwords",
        "scram_verifiers",
        "dkim_keys",
        "audit",
    ),
)
SIGNATURES = from_zero(
    Counter(
        "postrider_auth_signatures_total",
        "Signatures asked for: made, refused (no key, or no right to it)",
        ["outcome"],
    ),
    ("made", "refused"),
)
IDENTITIES = from_zero(
    Counter(
        "postrider_auth_identities_total",
        "Sender addresses compared with the rule of a domain: ok, log (not the client's own, accepted), enforce (refused)",
        ["outcome"],
    ),
    ("ok", "log", "enforce"),
)
