"""DMARC aggregate reports: what is counted, the report, and where it goes (RFC 9990; docs/decisions/0092)."""
