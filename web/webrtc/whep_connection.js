// One connection to the live stream of a session, by WHEP.

import { iceServers } from "./link_header.js";
import { MIN_TARGET_MS } from "./lip_sync.js";

const SDP = { "content-type": "application/sdp", accept: "application/sdp, application/problem+json" };
const FRAGMENT = { "content-type": "application/trickle-ice-sdpfrag" };
const NO_H264 = "this browser plays no H.264 by WebRTC";
/** A server that does not answer for this long is treated as unreachable. */
const ANSWER_TIMEOUT_MS = 10_000;
/** The pause before the next attempt: a server that is being restarted is back soon. */
const UNREACHABLE_RETRY_MS = 2000;
/** Time within which a path must be found. */
const PATH_TIMEOUT_MS = 5000;
/** Candidates that are found within this time are sent together. */
const GATHERING_MS = 40;
/** The sound is delayed as little as the network allows, and the pictures as much as the sound. */
const JITTER_BUFFER_TARGETS_MS = { audio: 0, video: MIN_TARGET_MS };

/** There is no live stream. `isLasting`: trying again is no use. */
export class LiveUnavailable extends Error {
  constructor(message, { isLasting = false, retryMs = null } = {}) {
    super(message);
    this.isLasting = isLasting;
    this.retryMs = retryMs;
  }
}

/** Returns why this browser cannot play a live stream; null if it can. */
export function findUnsupported() {
  if (globalThis.RTCPeerConnection === undefined) return "this browser has no WebRTC";
  if (videoCodecs()?.length === 0) return NO_H264;
  return null;
}

export class WhepConnection {
  #url;
  #signal;
  #peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  #stream = new MediaStream();
  #channel = this.#peer.createDataChannel("events");
  /** The resource at the server, and the tag of its ICE session. */
  #resource = null;
  #tag = null;
  #credentials = "";
  #candidates = [];
  /** Why TURN servers gave no address, for each of them. */
  #refusals = new Map();
  #isSending = false;
  #isClosed = false;

  /** `url` is the WHEP endpoint; the connection ends when `signal` is aborted. */
  constructor(url, signal) {
    this.#url = url;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.close());
    this.#peer.addEventListener("icecandidate", ({ candidate }) => this.#addCandidate(candidate));
    this.#peer.addEventListener("icecandidateerror", (event) => this.#noteRefusal(event));
    this.#peer.addEventListener("track", ({ track, receiver }) => {
      setTarget(receiver, JITTER_BUFFER_TARGETS_MS[track.kind]);
      this.#stream.addTrack(track);
    });
    this.#addTransceivers();
  }

  /** The MediaStream of the pictures and the sound. */
  get stream() {
    return this.#stream;
  }

  /** The data channel of the events. */
  get channel() {
    return this.#channel;
  }

  get isClosed() {
    return this.#isClosed || this.#channel.readyState === "closed" || this.#peer.connectionState === "failed";
  }

  /** Agrees on a stream, whose tracks are known then; throws LiveUnavailable. */
  async negotiate() {
    await this.#guard(() => this.#negotiate());
  }

  /** Waits until the stream can arrive; throws LiveUnavailable. */
  async waitForPath() {
    await this.#guard(() => this.#waitForPath());
  }

  /** Ends the connection, here and on the server. */
  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#peer.close();
    this.#stream.getTracks().forEach((track) => track.stop());
    if (this.#resource === null) return;
    // The page may be closing; a server that is gone has no use for the request.
    fetch(this.#resource, { method: "DELETE", keepalive: true }).catch(() => {});
  }

  /** Sets how long the jitter buffer should keep pictures. */
  setPictureDelay(targetMs) {
    const receiver = this.#peer.getReceivers().find(({ track }) => track.kind === "video");
    if (receiver.jitterBufferTarget !== targetMs) setTarget(receiver, targetMs);
  }

  /** The statistics of the connection: those of the type `type`. */
  async statistics(type) {
    return [...(await this.#peer.getStats()).values()].filter((one) => one.type === type);
  }

  async #guard(step) {
    try {
      await step();
    } catch (error) {
      throw explained(error);
    }
  }

  #addTransceivers() {
    this.#peer.addTransceiver("audio", { direction: "recvonly" });
    const video = this.#peer.addTransceiver("video", { direction: "recvonly" });
    const codecs = videoCodecs();
    if (codecs?.length > 0) video.setCodecPreferences?.(codecs);
  }

  /**
   * The servers for ICE are known with the answer. The offer is applied here after it, so that they are
   * used; its candidates follow by PATCH.
   */
  async #negotiate() {
    const offer = await this.#peer.createOffer();
    if (!/a=rtpmap:\d+ H264\//i.test(offer.sdp)) {
      throw new LiveUnavailable(NO_H264, { isLasting: true });
    }
    const answer = await this.#post(withPauses(offer.sdp));
    const servers = iceServers(answer.headers.get("link"));
    if (servers.length > 0) this.#peer.setConfiguration({ ...this.#peer.getConfiguration(), iceServers: servers });
    this.#credentials = offer.sdp.match(/^a=ice-(ufrag|pwd):.*$/gm).slice(0, 2).join("\r\n");
    await this.#peer.setLocalDescription(offer);
    await this.#peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  }

  async #post(sdp) {
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
    const response = await fetch(this.#url, { method: "POST", headers: SDP, body: sdp, signal });
    if (!response.ok) throw await refusal(response);
    this.#resource = new URL(response.headers.get("location"), response.url).href;
    this.#tag = response.headers.get("etag");
    return response;
  }

  #addCandidate(candidate) {
    this.#candidates.push(candidate);
    if (this.#isSending) return;
    this.#isSending = true;
    setTimeout(() => this.#sendCandidates(), GATHERING_MS);
  }

  async #sendCandidates() {
    const found = this.#candidates.splice(0);
    const headers = this.#tag === null ? FRAGMENT : { ...FRAGMENT, "if-match": this.#tag };
    const body = fragment(this.#credentials, found);
    // Without it the server still learns the address from the browser's own checks.
    if (!this.#isClosed) await fetch(this.#resource, { method: "PATCH", headers, body }).catch(() => {});
    this.#isSending = false;
    if (this.#candidates.length > 0) this.#addCandidate(this.#candidates.pop());
  }

  /** Servers that refuse give a reason; one that cannot be reached is as if it did not exist. */
  #noteRefusal({ url, errorCode, errorText }) {
    const isRefused = errorCode >= 300 && errorCode < 700;
    if (isRefused) this.#refusals.set(url, `${url} answered ${errorCode} ${errorText}`.trim());
  }

  #noPath(found) {
    const reasons = this.#refusals.size > 0 ? [...this.#refusals.values()] : ["UDP may be blocked"];
    return new LiveUnavailable(`no path to the server was found${found}; ${reasons.join(", ")}`);
  }

  async #waitForPath() {
    const deadline = AbortSignal.any([this.#signal, AbortSignal.timeout(PATH_TIMEOUT_MS)]);
    await new Promise((resolve, reject) => {
      const check = () => {
        const { connectionState: state } = this.#peer;
        if (state === "connected") resolve();
        else if (state === "failed") reject(this.#noPath(""));
        else if (state === "closed") reject(new LiveUnavailable("the connection was closed"));
      };
      deadline.addEventListener("abort", () => reject(this.#noPath(" in 5 s")));
      this.#peer.addEventListener("connectionstatechange", check);
      check();
    });
  }
}

/** An offer that asks the server to pause in silence: browsers correct the delay of the sound then, at once and unheard. */
function withPauses(sdp) {
  const opus = sdp.match(/^a=rtpmap:(\d+) opus\//im)?.[1];
  return sdp.replace(new RegExp(`^a=fmtp:${opus} .*$`, "m"), "$&;usedtx=1");
}

/** Not all browsers have it. */
function setTarget(receiver, targetMs) {
  if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = targetMs;
}

/** H.264 and its retransmissions; none if there is no H.264, undefined if the browser does not say. */
function videoCodecs() {
  const codecs = globalThis.RTCRtpReceiver?.getCapabilities?.("video")?.codecs;
  if (!codecs?.some(({ mimeType }) => /h264/i.test(mimeType))) return codecs && [];
  return codecs.filter(({ mimeType }) => /h264|rtx/i.test(mimeType));
}

/** A body of `application/trickle-ice-sdpfrag` (RFC 8840); a null candidate is the end of them. */
function fragment(credentials, candidates) {
  const lines = [credentials, "m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=mid:0"];
  for (const candidate of candidates) {
    lines.push(candidate?.candidate ? `a=${candidate.candidate}` : "a=end-of-candidates");
  }
  return `${lines.join("\r\n")}\r\n`;
}

async function refusal(response) {
  const { detail, kind } = await response.json().catch(() => ({}));
  const retryAfterS = Number(response.headers.get("retry-after"));
  const isLasting = kind === "NotLiveError" || [404, 405].includes(response.status);
  const message = detail ?? `the server answered ${response.status}`;
  return new LiveUnavailable(message, { isLasting, retryMs: retryAfterS > 0 ? 1000 * retryAfterS : null });
}

function explained(error) {
  if (error instanceof LiveUnavailable) return error;
  const soon = { retryMs: UNREACHABLE_RETRY_MS };
  if (error.name === "TimeoutError") return new LiveUnavailable("the server did not answer", soon);
  if (error instanceof TypeError) return new LiveUnavailable("the server cannot be reached", soon);
  return new LiveUnavailable(error.message);
}
