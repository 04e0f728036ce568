"""The contract of auth: structs and clients."""
