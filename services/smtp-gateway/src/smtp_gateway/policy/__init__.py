"""Which senders, recipients and contents are accepted, and the limits on clients."""
