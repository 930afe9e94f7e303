"""Language models that answer in a conversation, behind one interface."""
