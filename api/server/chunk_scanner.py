"""Detection of the end of a chunked request body, without decoding or validating it."""

import re

MAX_FRAMING_BYTES = 16_384
"""Largest size of the lines between the chunks of a body, in addition to a share of the body:
parsing tiny chunks is slow."""
FRAMING_SHARE = 8
MAX_LINE_BYTES = 8190
"""Longest line of a chunk size, and longest trailer section, as in gunicorn's parser."""
SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?", re.DOTALL)
TRAILER_END = re.compile(rb"\A\r\n|\r\n\r\n")


class ChunkScanner:
    """Follows the chunks of a body as it arrives.

    gunicorn's parser, which runs once the body is complete, decides how much of the data belongs to
    the request. An irregular body counts as complete, so that the parser rejects it.
    """

    def __init__(self) -> None:
        self.decoded_bytes = 0
        """Size of the chunks that were announced so far."""
        self.framing_bytes = 0
        """Size of the lines between them."""
        self.is_complete = False
        self._position = 0
        """Start of the next line of a chunk size, or of the trailer section; may lie in the data to
        come."""
        self._is_in_trailers = False

    @property
    def most_framing_bytes(self) -> int:
        """Number of bytes that the lines between the chunks may have."""
        return MAX_FRAMING_BYTES + self.decoded_bytes // FRAMING_SHARE

    @property
    def has_tiny_chunks(self) -> bool:
        """True if the lines between the chunks are too large; the scan then ends."""
        return self.framing_bytes > self.most_framing_bytes

    def scan(self, data: bytearray) -> None:
        """Continue in the whole body received so far."""
        while not (self.is_complete or self._is_in_trailers or self.has_tiny_chunks):
            end = data.find(b"\r\n", self._position, self._position + MAX_LINE_BYTES + 2)
            if end < 0:
                self.is_complete = len(data) - self._position > MAX_LINE_BYTES
                return
            self._enter_chunk(bytes(data[self._position : end]), end + 2)
        if self._is_in_trailers:
            self._scan_trailers(data)

    def _enter_chunk(self, line: bytes, start: int) -> None:
        """Skip a chunk whose data begins at `start`."""
        found = SIZE.fullmatch(line)
        if found is None:
            self.is_complete = True
            return
        size = int(found[1], 16)
        self.decoded_bytes += size
        self.framing_bytes += len(line) + 4  # two line breaks
        self._is_in_trailers = size == 0
        self._position = start + (size + 2 if size else 0)

    def _scan_trailers(self, data: bytearray) -> None:
        trailers = data[self._position : self._position + MAX_LINE_BYTES + 4]
        is_too_long = len(trailers) > MAX_LINE_BYTES
        self.is_complete = is_too_long or TRAILER_END.search(trailers) is not None
