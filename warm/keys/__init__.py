"""API keys: the file that holds their hashes, scopes and limits."""
