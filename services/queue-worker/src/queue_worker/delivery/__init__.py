"""From the claim of a recipient to the record of its attempt: remote hosts (`loop`), local mailboxes (`filing`)."""
