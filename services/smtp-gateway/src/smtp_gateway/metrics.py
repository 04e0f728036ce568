"""What smtp-gateway counts; no address or domain is a label."""

from prometheus_client import Counter, Gauge, Histogram

SESSIONS = Gauge("postrider_gateway_sessions_open", "SMTP connections by listener", ["listener"])
ACCEPTED = Counter("postrider_gateway_accepted_total", "Messages answered 250, by listener", ["listener"])
REFUSED = Counter("postrider_gateway_refused_total", "Replies 4xx and 5xx, by command and code", ["command", "code"])
LOGINS = Counter("postrider_gateway_logins_total", "SMTP AUTH by outcome", ["outcome"])
HANDOVER = Histogram("postrider_gateway_handover_seconds", "From the final dot to the queue's answer")
BATCH = Histogram("postrider_gateway_batch_messages", "Messages per hand-over", buckets=(1, 2, 5, 10, 20, 50, 100))
HELD = Gauge("postrider_gateway_body_bytes", "Bodies held in memory")
