"""Size of the pictures, from a sequence parameter set of H.264 (ITU-T H.264, 7.3.2.1.1)."""

SIMPLE_PROFILES = (66, 77, 88)
"""Baseline, main and extended: without the fields about colour that others have."""
MACROBLOCK = 16
MAX_EXPONENT = 32


class Bits:
    """Reads bits from the payload of a NAL unit."""

    def __init__(self, data: bytes) -> None:
        payload = data.replace(b"\x00\x00\x03", b"\x00\x00")
        self._bits = "".join(f"{byte:08b}" for byte in payload)
        self._position = 0

    def take(self, count: int) -> int:
        """Return the next bits as a number; raises ValueError at the end."""
        taken = self._bits[self._position : self._position + count]
        if len(taken) < count:
            raise ValueError("a parameter set is cut off")
        self._position += count
        return int(taken, 2) if taken else 0

    def number(self) -> int:
        """Return the next number in exponential Golomb coding (9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > MAX_EXPONENT:
                raise ValueError("a parameter set is damaged")
        return (1 << zeros) - 1 + self.take(zeros)


def picture_size(sps: bytes) -> tuple[int, int] | None:
    """Return (width, height) of the pictures; None for an unsupported profile and for damage."""
    if len(sps) < 4 or sps[1] not in SIMPLE_PROFILES:
        return None
    try:
        return read_size(Bits(sps[4:]))
    except ValueError:
        return None


def read_size(bits: Bits) -> tuple[int, int] | None:
    """Return (width, height) from the bits after profile and level."""
    bits.number()  # seq_parameter_set_id
    bits.number()  # log2_max_frame_num_minus4
    order = bits.number()
    if order == 0:
        bits.number()
    elif order == 1:
        return None
    bits.number()  # max_num_ref_frames
    bits.take(1)
    width, height = bits.number() + 1, bits.number() + 1
    is_progressive = bits.take(1)
    if not is_progressive:
        bits.take(1)
    bits.take(1)
    left, right, top, bottom = [bits.number() for _ in range(4)] if bits.take(1) else [0] * 4
    lines = 2 - is_progressive
    return (
        width * MACROBLOCK - 2 * (left + right),
        (height * MACROBLOCK - 2 * (top + bottom)) * lines,
    )
