"""The bytes of messages, written once (decision 4); linked into queue-worker and mailstore."""
