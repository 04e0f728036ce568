"""SPF: may this client send with a MAIL FROM or HELO of this domain? (RFC 7208)."""
