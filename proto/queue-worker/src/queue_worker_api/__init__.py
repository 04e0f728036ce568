"""The contract of queue-worker: structs and clients."""
