"""Questions of the mail flow: may it send, where does it go."""
