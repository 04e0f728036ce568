"""ARC: what hosts on the way found, sealed one after another (RFC 8617)."""
