"""The library the services share: no process, no settings of its own, no tables."""

#: Postrider's version; the chart's appVersion and the packages' are the same (tests/structure).
__version__ = "0.1.0"
