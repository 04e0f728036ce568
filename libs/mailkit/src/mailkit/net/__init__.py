"""Public sockets: listeners, limits, TLS, PROXY, reading and writing, DNS."""
