"""Conversations: turns, their answers by a language model, and what was heard of them."""
