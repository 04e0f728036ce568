"""The single-machine run (decision 12): the same services as in a cluster, as processes on loopback."""
