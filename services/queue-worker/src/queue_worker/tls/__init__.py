"""How TLS is used with remote hosts: opportunistic TLS, MTA-STS, DANE; policies, contexts, certificates."""
