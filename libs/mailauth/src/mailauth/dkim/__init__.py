"""DKIM: a domain takes responsibility for a message by a signature (RFC 6376, 8301, 8463)."""
