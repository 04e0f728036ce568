"""Values and rules that reading and writing share; pure."""
