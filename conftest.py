"""`make fuzz` gives every hypothesis test forty times as many examples."""

from hypothesis import settings

settings.register_profile("long", max_examples=4000, deadline=None)
