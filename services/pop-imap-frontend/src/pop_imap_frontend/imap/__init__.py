"""IMAP4rev1 (RFC 3501) over mailstore: the registry of commands, the commands, the session, the view of the selected folder."""
