"""Speaks POP3 and IMAP with mail clients."""
