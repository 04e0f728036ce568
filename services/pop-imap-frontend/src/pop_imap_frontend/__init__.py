"""POP3 and IMAP server for mail clients."""
