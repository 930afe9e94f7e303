"""Training data for lip-sync networks: talking videos to clips, face tracks, sounds and lists."""
