"""The weights of the neural engine: which, where, how they come, and whether they are whole."""
