"""Recognition by a server with OpenAI's `POST /v1/audio/transcriptions`."""
