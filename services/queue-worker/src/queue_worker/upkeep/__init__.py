"""Periodic work: partitions, measurements of the queue, and the collection of unreferenced bodies."""
