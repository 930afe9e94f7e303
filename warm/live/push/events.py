"""Events about pushes that the live process sends to the worker."""

STATE = "push.state"
"""A push has another state, or other counters."""
NO_FEED = "push.no_feed"
"""A push has no feed, because that of its session has ended."""
