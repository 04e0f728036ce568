"""`python -m postrider.launcher`: what `postrider run` does."""

from postrider.launcher.run import run

raise SystemExit(run())
