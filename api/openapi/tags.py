"""Groups of operations."""

TAGS = {
    "speech": "Speak, and stop the speech.",
    "chat": "Conversations with a language model, whose answers are spoken.",
    "sessions": "Conversations: each has one film, one face and one voice.",
    "films": "Watch the film of a session while it grows.",
    "live": "Watch the live stream of a session: a face that is alive between the answers.",
    "archives": "Films that were kept when their sessions were reset.",
    "avatars": "Prepared faces.",
    "voices": "Voices and their samples.",
    "jobs": "Work that takes longer than a request: films and preparations.",
    "generate": "The API of MuseTalk servers.",
    "lipsync": "The API of lip-sync services.",
    "did": "The API of D-ID.",
    "rooms": "Faces for rooms of LiveKit.",
    "keys": "The login of the page, and the key of a request.",
    "uploads": "Pictures, videos and recordings that requests refer to.",
    "server": "State of the server.",
    "documents": "Description of these routes.",
    "page": "The web page.",
}
"""Description of each tag, in the order of the document."""
