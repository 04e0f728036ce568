"""Rules of the operators' API: domains, mailboxes, aliases."""
