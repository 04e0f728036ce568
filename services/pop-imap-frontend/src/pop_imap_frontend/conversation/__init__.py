"""What POP3 and IMAP sessions share: their life, logins, the change feed, limits of the work in progress."""
