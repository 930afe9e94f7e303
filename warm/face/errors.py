"""What can be wrong with the face models; light to import."""


class FaceModelError(RuntimeError):
    """A face model's file is missing or is not the expected one."""
