"""Faces in rooms of LiveKit: workers, in processes of their own, that join them."""
