"""POP3 (RFC 1939) over mailstore: one snapshot at login, deletion marks in the session, one call at QUIT."""
