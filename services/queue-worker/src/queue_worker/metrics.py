"""Metrics of queue-worker. No address or domain is a label."""

from prometheus_client import Counter, Gauge, Histogram

from mailkit.process.metrics import from_zero
from queue_worker.models import RECORDED

KINDS = ("local", "remote")
ENDS = tuple(outcome.value for outcome in RECORDED)
BOUNCE_CLASSES = (
    "unknown_user",
    "unknown_domain",
    "address",
    "mailbox_full",
    "mailbox",
    "too_large",
    "loop",
    "network",
    "content",
    "tls",
    "policy",
    "suppressed",
    "other",
)
TLS_POLICIES = ("opportunistic", "route", "mta-sts", "mta-sts-testing", "dane", "dane-unusable", "requiretls")
_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400)

ACCEPTED = Counter("postrider_queue_accepted_total", "Messages committed at hand-over")
BATCH = Histogram(
    "postrider_queue_batch_messages", "Messages per transaction at hand-over", buckets=(1, 2, 5, 10, 20, 50, 100, 200)
)
ENDED = from_zero(
    Counter(
        "postrider_queue_attempts_total",
        "Attempts by kind (local, remote) and end: delivered, deferred (tried again), in_doubt (the final dot's reply is "
        "unknown; tried again), failed (refused for good), expired (S8), returned (given back untried)",
        ["kind", "end"],
    ),
    KINDS,
    ENDS,
)
UNDELIVERED = from_zero(
    Counter(
        "postrider_queue_undelivered_total",
        "Recipients given up (failed or expired) by class of the reason: unknown_user, unknown_domain (no such domain, no usable "
        "mail host), address (anything else about it), mailbox_full, mailbox (disabled and the like), too_large, loop, network (no "
        "connection, no answer), content, tls, policy (refused by a rule of the host), suppressed (not tried, decision 86), other",
        ["class"],
    ),
    BOUNCE_CLASSES,
)
BOUNCED = Counter(
    "postrider_queue_bounced_total",
    "Notices to senders queued: of failures, of delays, and of deliveries as asked (RFC 3461)",
)
BOUNCE_SIGNATURES = from_zero(
    Counter(
        "postrider_queue_bounce_signatures_total",
        "Bounces sent elsewhere, at each attempt: signed, none (the HELO domain has no active key, or auth was not asked again so "
        "soon), away (auth did not answer). The last two leave unsigned",
        ["outcome"],
    ),
    ("signed", "none", "away"),
)
BOUNCE_FAILED = Counter(
    "postrider_queue_bounce_failed_total", "Bounces that could not be delivered; they are never bounced"
)
IN_DOUBT = Counter("postrider_queue_in_doubt_total", "Attempts whose final dot went out and whose reply is unknown")
LATENCY = from_zero(
    Histogram("postrider_queue_delivery_seconds", "From acceptance to delivery", ["kind"], buckets=_SECONDS), KINDS
)
DEPTH = from_zero(
    Gauge(
        "postrider_queue_recipients",
        "Recipients under way by kind and state (waiting, claimed). Each replica reports the whole queue or 0: take the max",
        ["kind", "state"],
    ),
    KINDS,
    ("waiting", "claimed"),
)
OLDEST_DUE = from_zero(
    Gauge(
        "postrider_queue_oldest_due_seconds",
        "How long the oldest due recipient has been due. Each replica reports the whole queue or 0: take the max",
        ["kind"],
    ),
    KINDS,
)
STS_FETCHED = from_zero(
    Counter(
        "postrider_queue_sts_fetches_total",
        "Fetches of MTA-STS policies by outcome: ok, or the failure type of RFC 8460 4.3",
        ["outcome"],
    ),
    ("ok", "sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid"),
)
TLS = from_zero(
    Counter(
        "postrider_queue_tls_connections_total",
        "Connections to remote hosts by TLS policy (opportunistic, route: of a smart host, mta-sts, mta-sts-testing, dane, dane-unusable, requiretls: asked for by the sender) and result: "
        "verified, encrypted (not verified), clear, failed (TLS failed, or what the policy requires)",
        ["policy", "result"],
    ),
    TLS_POLICIES,
    ("verified", "encrypted", "clear", "failed"),
)
REPORTS = from_zero(
    Counter(
        "postrider_queue_reports_total",
        "Daily reports to other domains by kind (tls, dmarc) and outcome: sent, later (no place took it yet), none (the domain wants "
        "none, or has not said validly where to)",
        ["kind", "outcome"],
    ),
    ("tls", "dmarc"),
    ("sent", "later", "none"),
)
DMARC_LEFT_OUT = Counter(
    "postrider_queue_dmarc_left_out_total",
    "Messages that no record of a DMARC report tells of, as there were too many different ones (decision 92)",
)
SHAPING_CONVERSATIONS = Gauge(
    "postrider_queue_shaping_conversations",
    "Conversations under way with hosts of an operator (decision 101)",
    ["operator"],
)
SHAPING_CAP = Gauge(
    "postrider_queue_shaping_conversations_max",
    "Conversations with hosts of an operator that are allowed now",
    ["operator"],
)
SHAPING_PAUSE = Gauge(
    "postrider_queue_shaping_pause_seconds",
    "Seconds until mail is sent to hosts of an operator again, after a reply that asked for less",
    ["operator"],
)
SHAPING_WAITING = Gauge(
    "postrider_queue_shaping_waiting",
    "Pairs of an account and a domain with due mail that are held back by the limits of the domain's operator",
    ["operator"],
)
SHAPING_LIMITED = Counter(
    "postrider_queue_shaping_limited_total", "Replies of an operator's hosts that asked for less", ["operator"]
)
COLLECTED = Counter("postrider_queue_bodies_collected_total", "Bodies deleted because nothing refers to them")
PACKED = Counter(
    "postrider_queue_bodies_packed_total", "Bodies moved from the database to the object store (decision 138)"
)
PACKS = Gauge("postrider_queue_packs", "Objects that hold bodies; set by the replica that moves them")
PACK_OCTETS = from_zero(
    Gauge(
        "postrider_queue_pack_octets",
        "Octets of these objects by kind: live, and dead (of deleted bodies, until the objects are compacted and no backup needs them)",
        ["kind"],
    ),
    ("live", "dead"),
)
