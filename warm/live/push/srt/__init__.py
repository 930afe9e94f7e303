"""SRT: the part of the protocol that a caller needs to send live media (the draft
draft-sharabayko-srt-01 of the IETF, and what libsrt 1.5 does where the draft is silent)."""
