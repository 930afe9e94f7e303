"""Offers of viewers (SDP, RFC 8866): check them before anything is made for them."""

import re
from dataclasses import dataclass

from aiortc import RTCIceCandidate
from aiortc.codecs import CODECS
from aiortc.rtcdtlstransport import X509_DIGEST_ALGORITHMS
from aiortc.rtcpeerconnection import find_common_codecs
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.sdp import MediaDescription, SessionDescription, grouplines

from warm.live.webrtc.body_limits import MAX_OFFER_BYTES
from warm.live.webrtc.candidates import CandidateFilter, take_candidates
from warm.live.webrtc.errors import BadOffer, UnusableOffer

MAX_LINES = 2000
MAX_FORMATS = 128
"""Payload types of one section; browsers offer about forty."""
KINDS = ("audio", "video", "application")
CODEC = {"audio": "Opus", "video": "H.264"}
MIME_TYPE = {"audio": "audio/opus", "video": "video/h264"}
MISSING = {
    "audio": "add a receiver for audio, and leave opus/48000/2 in it",
    "video": "add a receiver for video, and leave H.264 with packetization-mode=1 and a baseline"
    " profile (profile-level-id=42e01f or 42001f) in it",
}
ICE_TEXT = re.compile(r"[A-Za-z0-9+/=_#-]{4,256}")
"""Characters of an ICE user fragment or password (RFC 8839), and those that some programs add."""
UNREADABLE = (ValueError, AssertionError, LookupError, AttributeError, TypeError, StopIteration)
"""Exceptions of aiortc's parser for text that is not SDP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An offer that can be answered."""

    sdp: str
    """Without candidates."""
    kinds: tuple[str, ...]
    """Kinds of its sections, in their order."""
    wants_pauses: bool
    """The viewer asks that silence is not sent (`usedtx`, RFC 7587)."""
    ice_fragment: str
    """User fragment of the viewer's ICE; another one in a later message is a restart."""
    candidates: tuple[RTCIceCandidate, ...]
    """Those that are tried."""
    chosen: CandidateFilter
    """Chooses those that follow."""


def read_offer(text: str) -> Offer:
    """Check an offer; raises BadOffer, and UnusableOffer if it cannot be answered with H.264 and
    Opus."""
    require_size(text)
    sdp, named = take_candidates(text)
    try:
        description = SessionDescription.parse(sdp)
    except UNREADABLE as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")[:120]
        raise BadOffer(f"the offer cannot be read as SDP ({reason})") from None
    require_sections(description.media)
    for section in description.media:
        require_transport(section)
    switched_off = rejected_kinds(sdp)
    used = [each for each in description.media if each.kind not in switched_off]
    for kind in CODEC:
        require_codec(kind, used)
    require_bundle(description, used)
    for candidate in named:
        candidate.sdpMid = description.media[candidate.sdpMLineIndex or 0].rtp.muxId
    chosen = CandidateFilter()
    return Offer(
        sdp=sdp,
        kinds=tuple(section.kind for section in description.media),
        wants_pauses=any(wants_pauses(section) for section in used),
        ice_fragment=str(ice_names(description.media[0])[0]),
        candidates=tuple(each for each in named if chosen.accepts(each)),
        chosen=chosen,
    )


def require_size(text: str) -> None:
    """Raise BadOffer for a text that is too long to be an offer."""
    if len(text) > MAX_OFFER_BYTES or text.count("\n") > MAX_LINES:
        raise BadOffer(
            f"the offer has {len(text)} characters in {text.count(chr(10)) + 1} lines; at most"
            f" {MAX_OFFER_BYTES} in {MAX_LINES} are allowed"
        )
    if not text.lstrip().startswith("v=0"):
        raise BadOffer("the offer does not begin with v=0; send the SDP of createOffer as the body")


def require_sections(sections: list[MediaDescription]) -> None:
    """Raise BadOffer unless there is at most one section of each kind, and no other kind."""
    kinds = [section.kind for section in sections]
    for kind in kinds:
        if kind not in KINDS:
            raise BadOffer(f"m={kind[:20]}: is not known; allowed: one each of {', '.join(KINDS)}")
        if kinds.count(kind) > 1:
            raise BadOffer(f"m={kind}: {kinds.count(kind)} sections; offer one")
    mids = [section.rtp.muxId for section in sections]
    if len(set(mids)) < len(mids) or not all(mids):
        raise BadOffer(f"a=mid: is {mids}; each section needs one of its own")


def require_bundle(description: SessionDescription, used: list[MediaDescription]) -> None:
    """Raise UnusableOffer unless all used sections share one connection, as WHEP requires."""
    bundled = {
        str(mid) for group in description.group if group.semantic == "BUNDLE" for mid in group.items
    }
    alone = [each.rtp.muxId for each in used if each.rtp.muxId not in bundled]
    if alone:
        raise UnusableOffer(
            f"a=group:BUNDLE: does not name {', '.join(alone)[:80]}; all sections must share one"
            " connection (bundlePolicy: max-bundle)"
        )


def require_transport(section: MediaDescription) -> None:
    """Raise BadOffer unless a section says how it can be reached and encrypted."""
    dtls = section.dtls
    for name, value in zip(("ice-ufrag", "ice-pwd"), ice_names(section), strict=True):
        if value is None or not ICE_TEXT.fullmatch(value):
            raise BadOffer(f"a={name}: of m={section.kind} is {value!r}; 4 to 256 ICE characters")
    known = {each.algorithm.lower() for each in dtls.fingerprints} if dtls else set()
    if dtls is None or not known & set(X509_DIGEST_ALGORITHMS):
        raise BadOffer(
            f"a=fingerprint, a=setup: m={section.kind} lacks one of them; allowed:"
            f" {', '.join(X509_DIGEST_ALGORITHMS)}"
        )
    if section.kind in CODEC and not section.rtcp_mux:
        raise BadOffer(f"a=rtcp-mux: is missing in m={section.kind}, and is required")
    if len(section.fmt) > MAX_FORMATS:
        raise BadOffer(f"m={section.kind}: has {len(section.fmt)} formats; at most {MAX_FORMATS}")
    if section.kind == "application":
        require_data_channel(section)


def ice_names(section: MediaDescription) -> tuple[str | None, str | None]:
    """Return the user fragment and the password of ICE."""
    ice = section.ice
    return (None, None) if ice is None else (ice.usernameFragment, ice.password)


def require_data_channel(section: MediaDescription) -> None:
    """Raise BadOffer unless a section is one of WebRTC data channels."""
    if section.profile not in ("UDP/DTLS/SCTP", "TCP/DTLS/SCTP") or section.sctp_port is None:
        raise BadOffer(
            f"m=application: {section.profile} without a=sctp-port; allowed: UDP/DTLS/SCTP"
            " webrtc-datachannel"
        )
    if not 0 < section.sctp_port < 1 << 16:
        raise BadOffer(f"a=sctp-port: is {section.sctp_port}; allowed: 1 to 65535")


def require_codec(kind: str, sections: list[MediaDescription]) -> None:
    """Raise UnusableOffer unless a section of this kind can receive what is sent."""
    found = [section for section in sections if section.kind == kind]
    if not found:
        raise UnusableOffer(f"{CODEC[kind]}: the offer has no {kind} section; {MISSING[kind]}")
    if found[0].direction in ("sendonly", "inactive"):
        raise UnusableOffer(
            f"a={found[0].direction}: the {kind} section does not receive; use recvonly"
        )
    if not codecs_of(kind, found[0]):
        raise UnusableOffer(
            f"{CODEC[kind]}: the {kind} section offers {offered(found[0])}; {MISSING[kind]}"
        )


def rejected_kinds(sdp: str) -> set[str]:
    """Kinds of the sections that are switched off: their port is 0, and they do not share another
    section's."""
    _, sections = grouplines(sdp)
    return {
        lines[0].removeprefix("m=").split()[0]
        for lines in sections
        if lines[0].split()[1] == "0" and "a=bundle-only" not in lines
    }


def codecs_of(kind: str, section: MediaDescription) -> list[RTCRtpCodecParameters]:
    """Return the codecs of a section that are sent."""
    common = find_common_codecs(CODECS[kind], section.rtp.codecs)
    return [codec for codec in common if codec.mimeType.lower() == MIME_TYPE[kind]]


def wants_pauses(section: MediaDescription) -> bool:
    """True for a section whose receiver asks that silence is not sent."""
    codecs = [each for each in section.rtp.codecs if each.mimeType.lower() == MIME_TYPE["audio"]]
    return any(str(codec.parameters.get("usedtx")) == "1" for codec in codecs)


def offered(section: MediaDescription) -> str:
    """Names of the codecs of a section, for a message."""
    names = dict.fromkeys(codec.name[:20] for codec in section.rtp.codecs)
    return ", ".join(list(names)[:12]) or "no codec"
