"""SMTP with a client: the octets of a connection, the session on it, and the verbs."""
