"""Mail syntax: addresses, header fields, SMTP replies."""
