"""`python -m postrider.launcher`: the same as `postrider run`."""

from postrider.launcher.begin import begin

raise SystemExit(begin())
