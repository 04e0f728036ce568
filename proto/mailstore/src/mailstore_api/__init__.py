"""Contract of mailstore: the structs of its calls, and clients."""
