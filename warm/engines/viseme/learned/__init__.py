"""A mouth that is learned from the person's own footage."""
