"""Text that arrives in pieces, cut into units that can be spoken at once."""
