"""Metrics of smtp-gateway; no address or domain is a label."""

from prometheus_client import Counter, Gauge, Histogram

from mailkit.process.metrics import from_zero

LISTENERS = ("smtp", "submission", "smtps")
SESSIONS = from_zero(Gauge("postrider_gateway_sessions_open", "SMTP connections by listener", ["listener"]), LISTENERS)
ACCEPTED = from_zero(
    Counter("postrider_gateway_accepted_total", "Messages answered 250, by listener", ["listener"]), LISTENERS
)
TRANSACTIONS = from_zero(
    Counter(
        "postrider_gateway_transactions_total",
        "Messages answered 250 by the right they came with: grant (OPEN-SMTP), auth (SMTP AUTH), none (mail for our mailboxes)",
        ["by"],
    ),
    ("grant", "auth", "none"),
)
REFUSED = Counter(
    "postrider_gateway_refused_total",
    "Replies 4xx and 5xx, by command (or line, unknown, any) and code",
    ["command", "code"],
)
REASONS = (
    "no_relay",
    "badmailfrom",
    "no_mailbox",
    "sender_domain",
    "too_large",
    "mailbox_full",
    "throttled",
    "login_required",
    "login_failed",
    "protocol",
    "content",
    "busy",
    "away",
    "dns",
    "dmarc",
    "spam",
    "other",
)
REJECTED = from_zero(
    Counter(
        "postrider_gateway_rejected_total",
        "Replies 4xx and 5xx by what they mean: no_relay (S10), badmailfrom (S12), no_mailbox (S14), sender_domain (S16), "
        "too_large (S7), mailbox_full (P2), throttled, login_required (S3), login_failed, protocol (syntax, order, length), "
        "content (bare CR or LF, loops), busy (our own limits), away (another service), dns (a sender's domain cannot be looked up now), "
        "dmarc (fails the policy of the domain in From), spam (the scanner rejects it), other",
        ["reason"],
    ),
    REASONS,
)
SLOWED = Counter("postrider_gateway_slowed_total", "Replies held back because of a client's errors or useless commands")
ENDED = from_zero(
    Counter(
        "postrider_gateway_ended_total",
        "Connections ended by us: errors (too many), crowded (silent while most connections are taken)",
        ["reason"],
    ),
    ("errors", "crowded"),
)
CROWDED = Gauge("postrider_gateway_crowded", "1 while most connections that may be open are")
LOGINS = from_zero(
    Counter("postrider_gateway_logins_total", "SMTP AUTH by outcome: ok, refused, throttled, busy, away", ["outcome"]),
    ("ok", "refused", "throttled", "busy", "away"),
)
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
COMMAND_SECONDS = Histogram(
    "postrider_gateway_command_seconds",
    "From a command to its reply: MAIL, RCPT, DATA_END (from the final dot; the message's octets are not counted), AUTH",
    ["command"],
    buckets=_SECONDS,
)
MAIL_SECONDS, RCPT_SECONDS, DATA_END_SECONDS, AUTH_SECONDS = (
    COMMAND_SECONDS.labels(command) for command in ("MAIL", "RCPT", "DATA_END", "AUTH")
)
SIGNED = Counter("postrider_gateway_signed_total", "Messages signed with DKIM")
_RESULTS = {
    "spf": ("none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"),
    "dkim": ("none", "pass", "fail", "temperror", "permerror"),
    "arc": ("none", "pass", "fail", "temperror"),
    "dmarc": ("none", "pass", "fail", "temperror", "permerror"),
}
VERDICTS = Counter(
    "postrider_gateway_verdicts_total",
    "Messages from outside by what spf, dkim, arc and dmarc found; of several signatures each result once",
    ["method", "result"],
)
VERDICTS_OF = {(method, result): VERDICTS.labels(method, result) for method in _RESULTS for result in _RESULTS[method]}
CONSEQUENCES = from_zero(
    Counter(
        "postrider_gateway_dmarc_consequences_total",
        "Messages from outside by what followed from DMARC: none, junk (filed into the Junk folder), defer (451), refuse (550), "
        "trusted (it failed, and came from a trusted forwarder)",
        ["consequence"],
    ),
    ("none", "junk", "defer", "refuse", "trusted"),
)
INSPECTION_SECONDS = Histogram(
    "postrider_gateway_inspection_seconds", "SPF, DKIM, ARC and DMARC of a message from outside", buckets=_SECONDS
)
SCANNED = from_zero(
    Counter(
        "postrider_gateway_scanned_total",
        "Messages from outside by what the scanner said: clean, junk, reject; failed (no answer in time: taken as clean)",
        ["result"],
    ),
    ("clean", "junk", "reject", "failed"),
)
SCAN_SECONDS = Histogram("postrider_gateway_scan_seconds", "The scanner's answer about a message", buckets=_SECONDS)
HANDOVER = Histogram("postrider_gateway_handover_seconds", "From the final dot to the queue's answer", buckets=_SECONDS)
BATCH = Histogram("postrider_gateway_batch_messages", "Messages per hand-over", buckets=(1, 2, 5, 10, 20, 50, 100))
HELD = Gauge("postrider_gateway_body_bytes", "Bodies held in memory")
UNTRACED = Counter(
    "postrider_gateway_refusals_untraced_total", "Refusals that the trace has as a number by rule only: floods"
)
TRACE_LAG = Gauge(
    "postrider_gateway_trace_lag_seconds", "Age of the oldest refusal that queue-worker has not recorded for the trace"
)
