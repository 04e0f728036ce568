"""Tables and named SQL of schema `mailstore`."""
