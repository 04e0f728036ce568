"""The schema `mailstore` and the named statements that run on it, in files named for what they hold.

Rows are asyncpg's records with typed attributes (`record.py`). Columns that are read in bulk are returned as lists.
"""
