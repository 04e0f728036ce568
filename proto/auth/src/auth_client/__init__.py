"""The contract of auth: structs and verbs."""
