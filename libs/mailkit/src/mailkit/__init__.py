"""The library that the services share; it has no process, no settings of its own and no tables."""

#: Postrider's version; the chart's appVersion and the versions of the packages are equal to it (tests/structure).
__version__ = "0.1.0"
