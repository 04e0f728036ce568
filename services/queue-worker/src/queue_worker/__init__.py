"""Messages under way: the one door, the delivery loop, bounces."""
