"""The contract of mailstore: structs and verbs."""
