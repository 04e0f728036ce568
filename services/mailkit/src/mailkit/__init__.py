"""The library the services share: no process, no settings of its own, no tables."""
