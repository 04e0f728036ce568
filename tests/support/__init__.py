"""What tests that cross rooms share: a running service, clients that speak the protocols, the world outside."""
