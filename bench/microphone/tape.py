"""A tape of the page: what its microphone hears and what it plays, on one clock."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.microphone.utterances import AUDIBLE, RATE_HZ, Samples, Talk

TAPE = """
// Records the microphone as it is, and the sound on its way to the loudspeaker. With `window.room`,
// the microphone hears that sound as well, after a delay, quieter, and with reverberation.
window.tape = { microphone: [], played: [], startMs: Infinity, outputLatencyS: 0 };
window.room = null;
window.interruptions = 0;
const unixMs = () => performance.timeOrigin + performance.now();
const { connect } = AudioNode.prototype;
const { createMediaStreamSource } = AudioContext.prototype;
const outputs = new Map();
let microphone = null;
let mixer = null;

AudioNode.prototype.connect = function (target, ...more) {
  if (target instanceof AudioDestinationNode) {
    outputs.set(this.context, this);
    if (mixer) feedBack();
  }
  return connect.call(this, target, ...more);
};
AudioContext.prototype.createMediaStreamSource = function (stream) {
  if (outputs.has(this) && window.tape.startMs === Infinity) record(this);
  return createMediaStreamSource.call(this, stream);
};
const devices = navigator.mediaDevices;
const open = devices?.getUserMedia.bind(devices);
if (devices) devices.getUserMedia = async (constraints) => {
  microphone = await open(constraints);
  window.openedMs = unixMs();
  return window.room ? mixed() : microphone;
};
const { fetch: request } = window;
window.fetch = (url, options) => {
  if (url === "interrupt") window.interruptions += 1;
  return request(url, options);
};

function record(context) {
  const ends = { numberOfInputs: 2, numberOfOutputs: 0 };
  const recorder = new AudioWorkletNode(context, "warmtalk-capture", ends);
  const { port1, port2 } = new MessageChannel();
  recorder.port.postMessage({ listener: port1 }, [port1]);
  connect.call(createMediaStreamSource.call(context, microphone), recorder, 0, 0);
  connect.call(outputs.get(context), recorder, 0, 1);
  const limited = (sample) => 32767 * Math.max(-1, Math.min(1, sample));
  const toInt16 = (samples) => Int16Array.from(samples, limited);
  port2.onmessage = ({ data }) => {
    for (const line of ["microphone", "played"]) window.tape[line].push(toInt16(data[line]));
    const recordedMs = 32 * window.tape.played.length;
    window.tape.startMs = Math.min(window.tape.startMs, unixMs() - recordedMs);
    window.tape.outputLatencyS = context.outputLatency || 0;
  };
}

function mixed() {
  const context = new AudioContext();
  const destination = context.createMediaStreamDestination();
  connect.call(createMediaStreamSource.call(context, microphone), destination);
  mixer = { context, destination, delay: context.createDelay(1), gain: context.createGain() };
  if (outputs.size > 0) feedBack();
  return destination.stream;
}

function feedBack() {
  const [[context, output]] = outputs;
  const tap = context.createMediaStreamDestination();
  connect.call(output, tap);
  const { delay, gain, destination } = mixer;
  const response = { buffer: decay(mixer.context), disableNormalization: true };
  const reverberation = new ConvolverNode(mixer.context, response);
  connect.call(createMediaStreamSource.call(mixer.context, tap.stream), delay);
  connect.call(delay, gain);
  connect.call(gain, destination);
  connect.call(gain, reverberation);
  connect.call(reverberation, destination);
  window.setRoom(window.room);
}

function decay(context) {
  const buffer = context.createBuffer(1, 0.25 * context.sampleRate, context.sampleRate);
  const samples = buffer.getChannelData(0);
  let seed = 1;
  for (let at = 0; at < samples.length; at += 1) {
    seed = (seed * 16807) % 2147483647;
    samples[at] = 0.04 * (seed / 1073741823 - 1) * Math.exp(-at / (0.05 * context.sampleRate));
  }
  return buffer;
}

window.setRoom = ({ gain, delayS }) => {
  window.room = { gain, delayS };
  if (!mixer) return;
  mixer.gain.gain.value = gain;
  mixer.delay.delayTime.value = delayS;
};
window.readTape = (line) => {
  const bytes = new Uint8Array(2 * 512 * window.tape[line].length);
  window.tape[line].forEach((frame, at) => bytes.set(new Uint8Array(frame.buffer), 1024 * at));
  let letters = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    letters += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(letters);
};
"""
"""Script that runs in the page before its own."""

SEARCH_MS = 400
"""An utterance is played within this time of its expected time."""
TEMPLATE_MS = 800


@dataclass(frozen=True, slots=True)
class Tape:
    """A recording of the page."""

    microphone: Samples
    played: Samples
    start_s: float
    """Unix time of its first sample."""
    output_latency_s: float
    """From the page's output to the loudspeaker, as the browser reports it."""

    def find(self, talk: Talk) -> list[float]:
        """Return the time on the tape at which each utterance of a file begins.

        The browser plays the file at an unknown time; the loudness locates each utterance.
        """
        file, heard = _loudness(talk.samples), _loudness(self.microphone)
        shift_ms = 0
        found_s = []
        for number, begin_s in enumerate(talk.begins_s):
            begin_ms = round(1000 * begin_s)
            template = file[begin_ms : begin_ms + TEMPLATE_MS]
            reach = 5 * SEARCH_MS if number == 0 else SEARCH_MS
            first = max(0, begin_ms + shift_ms - reach)
            part = heard[first : begin_ms + shift_ms + reach + TEMPLATE_MS]
            if len(part) < len(template) + 2:
                break
            at_ms = first + int(np.argmax(np.correlate(part - part.mean(), template, "valid")))
            shift_ms = at_ms - begin_ms
            found_s.append(at_ms / 1000)
        return found_s

    def is_playing(self, at_s: float, within_s: float = 0.4) -> bool:
        """Return True if something was played shortly before a time."""
        first, end = (round(time_s * RATE_HZ) for time_s in (at_s - within_s, at_s))
        return bool(np.abs(self.played[max(0, first) : end]).max(initial=0) > AUDIBLE / 4)

    def silent_from(self, at_s: float, for_s: float = 0.6) -> float:
        """Return when the silence that lasts `for_s` began, at or after a time."""
        first, need = round(at_s * RATE_HZ), round(for_s * RATE_HZ)
        (loud,) = np.nonzero(np.abs(self.played[first:]) > AUDIBLE / 20)
        edges = np.concatenate([[0], loud + 1, [len(self.played) - first]])
        gaps = np.flatnonzero(np.diff(edges) > need)
        return at_s + (edges[gaps[0]] / RATE_HZ if len(gaps) else float("inf"))


def read_tape(run: Any) -> Tape:
    """Return the tape so far; `run` runs a script in the page."""
    microphone, played = (
        _samples(run(f"return window.readTape('{name}')")) for name in ("microphone", "played")
    )
    start_ms, latency_s = run("return [window.tape.startMs, window.tape.outputLatencyS]")
    return Tape(microphone, played, start_s=start_ms / 1000, output_latency_s=latency_s)


def _samples(text: str) -> Samples:
    values = np.frombuffer(base64.b64decode(text), "<i2")
    return (values / np.float32(32767)).astype(np.float32)


def _loudness(samples: Samples) -> NDArray[np.float64]:
    """Loudness of each millisecond."""
    block = RATE_HZ // 1000
    whole = len(samples) // block * block
    power = (samples[:whole].reshape(-1, block).astype(np.float64) ** 2).mean(axis=1)
    return np.asarray(np.sqrt(power), np.float64)
