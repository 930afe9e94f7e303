// Access to the microphones of this computer.

import { explained, requireMicrophone } from "./microphone_error.js";

/** The microphone that the user chose last. */
const CHOICE_KEY = "microphone";

/**
 * Opens the chosen microphone, or the default one if that is no longer there. The browser removes
 * echo and noise. Throws MicrophoneError.
 */
export async function openMicrophone() {
  requireMicrophone();
  const deviceId = chosenMicrophone();
  try {
    return await open(deviceId);
  } catch (error) {
    const isGone = deviceId !== "" && error.name === "OverconstrainedError";
    if (!isGone) throw explained(error);
  }
  try {
    return await open("");
  } catch (error) {
    throw explained(error);
  }
}

export function closeMicrophone(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** Returns the microphones as `{deviceId, label}`. Browsers list them after they were allowed. */
export async function listMicrophones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId !== "");
}

/** The `deviceId` of the chosen microphone; empty for the default one. */
export function chosenMicrophone() {
  return localStorage.getItem(CHOICE_KEY) ?? "";
}

export function chooseMicrophone(deviceId) {
  localStorage.setItem(CHOICE_KEY, deviceId);
}

function open(deviceId) {
  return navigator.mediaDevices.getUserMedia({
    audio: {
      ...(deviceId !== "" && { deviceId: { exact: deviceId } }),
      channelCount: 1,
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
    },
  });
}
