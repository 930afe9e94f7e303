"""Downloads of addresses that clients name, without access to private networks."""
