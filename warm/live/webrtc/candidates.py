"""ICE candidates of viewers: those that are tried, and the messages that bring them later."""

from dataclasses import dataclass, field

from aiortc import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp

from warm.fetch.addresses import normal
from warm.live.webrtc.body_limits import MAX_FRAGMENT_BYTES
from warm.live.webrtc.errors import BadOffer

MAX_CANDIDATES = 40
"""Addresses that are tried for one viewer: each gets packets before it has shown that it wants any.
Browsers send about ten."""
PREFIX = "a=candidate:"
END = "a=end-of-candidates"


@dataclass(slots=True)
class CandidateFilter:
    """Chooses the candidates of one viewer that are tried, over all of its messages."""

    _seen: set[tuple[str, int]] = field(default_factory=set)

    def accepts(self, candidate: RTCIceCandidate) -> bool:
        """True for a candidate that is new, can be reached by UDP, and is within the limit.

        Names (`.local`) are not resolved: it takes a second each, and the viewer's own checks show
        its address sooner. Addresses of the machine itself and of its link are not tried.
        """
        place = candidate.ip, candidate.port
        is_usable = candidate.protocol.lower() == "udp" and candidate.component == 1
        if not is_usable or not is_reachable(*place) or place in self._seen:
            return False
        if len(self._seen) >= MAX_CANDIDATES:
            return False
        self._seen.add(place)
        return True


def is_reachable(host: str, port: int) -> bool:
    """True for an address of one machine in a network."""
    try:
        address = normal(host)
    except ValueError:
        return False
    excluded = address.is_loopback or address.is_link_local or address.is_multicast
    return 0 < port < 1 << 16 and not excluded and not address.is_unspecified


def take_candidates(sdp: str) -> tuple[str, list[RTCIceCandidate]]:
    """Return an offer without its candidates, and these; raises BadOffer.

    The end of the candidates is left out, too: the viewer may have an address that it does not
    name, and shows by its own checks.
    """
    kept: list[str] = []
    found: list[RTCIceCandidate] = []
    section = -1
    for line in sdp.splitlines():
        section += line.startswith("m=")
        if line.startswith(PREFIX):
            candidate = read_candidate(line)
            candidate.sdpMLineIndex = max(section, 0)
            found.append(candidate)
        elif not line.startswith(END):
            kept.append(line)
    return "\r\n".join(kept) + "\r\n", found


def read_candidate(line: str) -> RTCIceCandidate:
    """Parse a line `a=candidate:…`; raises BadOffer."""
    try:
        return candidate_from_sdp(line.removeprefix(PREFIX))
    except (ValueError, AssertionError, IndexError):
        raise BadOffer(
            f"{line[:80]!r}: is not a candidate; send it as the browser gives it"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trickle:
    """Candidates that follow an offer (RFC 8840, `application/trickle-ice-sdpfrag`)."""

    ice_fragment: str | None
    """User fragment of the viewer's ICE; None if the message does not name it."""
    candidates: tuple[RTCIceCandidate, ...]


def read_trickle(text: str) -> Trickle:
    """Parse a message with candidates; raises BadOffer."""
    if len(text) > MAX_FRAGMENT_BYTES:
        raise BadOffer(f"the body has {len(text)} characters; at most {MAX_FRAGMENT_BYTES}")
    fragment: str | None = None
    mid: str | None = None
    section = -1
    is_last = False
    found: list[RTCIceCandidate] = []
    for line in text.splitlines():
        if line.startswith("m="):
            section, mid = section + 1, None
        elif line.startswith("a=mid:"):
            mid = line.removeprefix("a=mid:").strip()
        elif line.startswith("a=ice-ufrag:"):
            fragment = line.removeprefix("a=ice-ufrag:").strip()
        elif line.startswith(END):
            is_last = True
        elif line.startswith(PREFIX):
            candidate = read_candidate(line)
            candidate.sdpMid, candidate.sdpMLineIndex = mid, max(section, 0)
            found.append(candidate)
    if fragment is None and not found and not is_last:
        raise BadOffer(
            "the body has neither a=candidate nor a=end-of-candidates; send an SDP fragment"
            " (RFC 8840)"
        )
    return Trickle(ice_fragment=fragment, candidates=tuple(found))
