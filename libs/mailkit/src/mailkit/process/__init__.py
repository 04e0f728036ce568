"""The process: settings, clock, log, metrics, life, the report of errors."""
