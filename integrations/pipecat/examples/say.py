"""Speaks a WAV file in a pipeline and counts what comes out: `python say.py URL FILE.wav`.

The file must have 16 bits per sample. In a real bot, a transport takes the place of `Screen`.
"""

import asyncio
import sys
import wave

from pipecat.frames.frames import (
    EndFrame,
    Frame,
    OutputImageRawFrame,
    SpeechOutputAudioRawFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner
from warmtalk_pipecat import WarmtalkVideoService

SAMPLE_BYTES = 2


class Screen(FrameProcessor):
    """Counts the pictures and the seconds of sound."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures = 0
        self.sound_s = 0.0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Count a frame and pass it on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, OutputImageRawFrame):
            self.pictures += 1
        elif isinstance(frame, SpeechOutputAudioRawFrame):
            self.sound_s += frame.num_frames / frame.sample_rate
        await self.push_frame(frame, direction)


def frames_of(path: str) -> tuple[int, list[Frame]]:
    """Return the rate of a WAV file and its frames, as a voice service makes them."""
    with wave.open(path) as file:
        if file.getsampwidth() != SAMPLE_BYTES:
            raise SystemExit(f"{path}: must have 16 bits per sample")
        rate, channels = file.getframerate(), file.getnchannels()
        pcm = file.readframes(file.getnframes())
    size = rate // 10 * SAMPLE_BYTES * channels
    pieces = [pcm[start : start + size] for start in range(0, len(pcm), size)]
    sound = [TTSAudioRawFrame(piece, rate, channels) for piece in pieces]
    return rate, [TTSStartedFrame(), *sound, TTSStoppedFrame(), EndFrame()]


async def main(url: str, path: str) -> None:
    """Speak the file and report what came out."""
    rate, frames = frames_of(path)
    screen = Screen()
    worker = PipelineWorker(
        Pipeline([WarmtalkVideoService(url=url), screen]),
        params=PipelineParams(audio_out_sample_rate=rate),
    )
    await worker.queue_frames(frames)
    runner = WorkerRunner()
    await runner.add_workers(worker)
    await runner.run()
    print(f"{screen.pictures} pictures, {screen.sound_s:.2f} s of sound")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python say.py URL FILE.wav")
    asyncio.run(main(sys.argv[1], sys.argv[2]))
