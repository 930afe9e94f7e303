"""Content types of requests whose bodies are files."""

FILE_TYPES = ("multipart/form-data", "application/octet-stream")
FILE_FAMILIES = ("audio/", "video/", "image/")


def has_files(content_type: str) -> bool:
    """True for a body that the application reads while it arrives."""
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type in FILE_TYPES or media_type.startswith(FILE_FAMILIES)
