"""Messages under way: hand-overs, the delivery loop, bounces."""
