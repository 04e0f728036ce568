"""IMAP4rev1 (RFC 3501) over mailstore: grammar -> commands -> session -> selected folder -> responses."""
