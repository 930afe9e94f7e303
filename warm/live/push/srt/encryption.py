"""Encryption of SRT: AES in counter mode, its key wrapped with a passphrase (draft, chapter 6)."""

import os
from hashlib import pbkdf2_hmac

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

SALT_BYTES = 16
ITERATIONS = 2048
NONCE_BYTES = 14
KEY_MATERIAL = b"\x12\x20\x29\x01"
"""Version 1, key material, signature, even key."""
AES_CTR, LIVE = 2, 2


class Encryption:
    """The key of one connection. One key is enough: the counter is the sequence number, which
    returns after 2^31 packets, more than a hundred days."""

    def __init__(self, passphrase: str, key_bytes: int) -> None:
        self._key, self._salt = os.urandom(key_bytes), os.urandom(SALT_BYTES)
        wrapping = pbkdf2_hmac("sha1", passphrase.encode(), self._salt[-8:], ITERATIONS, key_bytes)
        sizes = bytes((0, 0, SALT_BYTES // 4, key_bytes // 4))
        self.key_material = (
            KEY_MATERIAL
            + bytes(4)
            + bytes((AES_CTR, 0, LIVE, 0))
            + sizes
            + self._salt
            + aes_key_wrap(wrapping, self._key)
        )
        """The message that gives the key to the peer."""
        self.number = key_bytes // 8
        """The size of the key as the handshake has it."""

    def encrypted(self, sequence: int, payload: bytes) -> bytes:
        """Return the payload of a packet, encrypted."""
        counter = bytes(10) + sequence.to_bytes(4, "big")
        nonce = bytes(a ^ b for a, b in zip(counter, self._salt[:NONCE_BYTES], strict=True))
        encryptor = Cipher(AES(self._key), CTR(nonce + bytes(2))).encryptor()
        return encryptor.update(payload) + encryptor.finalize()
