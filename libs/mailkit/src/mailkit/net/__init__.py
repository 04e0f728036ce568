"""Public sockets: listeners, limits, TLS, PROXY, reading and writing, DNS."""

import dns._features

dns._features.force("doh", False)  # else dnspython imports an HTTP client, 5 MB, for DNS over HTTPS, if it is installed
