"""`python -m postrider.launcher`: the same as `postrider run`."""

from postrider.launcher.run import run

raise SystemExit(run())
