"""DMARC: does the domain in From authorise the message, and what does its owner ask for otherwise? (RFC 9989)."""
