"""Tables and named SQL of schema `queue`."""
