"""Couriers deliver the messages of the queue. The remote one speaks SMTP to other providers' mail hosts.

`RemoteCourier.deliver(domain, messages, report)` sends one group over one connection at a time and reports exactly one
result for every recipient, whatever fails. The delivery loop runs several calls concurrently; `stop(grace)` ends them by
decision 13.
"""

from queue_worker.couriers.models import (
    Admit,
    CourierSettings,
    Relay,
    RemoteMessage,
    Report,
    Timeouts,
)
from queue_worker.couriers.remote import RemoteCourier

__all__ = [
    "Admit",
    "CourierSettings",
    "Relay",
    "RemoteCourier",
    "RemoteMessage",
    "Report",
    "Timeouts",
]
