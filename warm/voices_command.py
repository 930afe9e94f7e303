"""`python -m warm voices`: list the voices, try one, and download one."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from tts.languages import look_up
from tts.onnx_voices.kokoro import LISTED_WHILE_MISSING
from tts.onnx_voices.kokoro import PREFIX as KOKORO
from tts.onnx_voices.piper_infos import PREFIX
from tts.samples import sample_text
from tts.speech import Speech
from tts.voice import VoiceChoice, VoiceInfo, Voices
from warm.installation import own_command
from warm.kokoro_download import KokoroDownload, download_kokoro
from warm.settings import Settings, read_settings
from warm.voice_download import VoiceDownload, download_voice
from warm.voice_factory import configured_voices

STANDARD_OUTPUT = "-"
_ID_WIDTH, _LANGUAGES_SHOWN = 24, 3


def add_voices(command: argparse.ArgumentParser) -> None:
    """Add `voices` with its commands."""
    kinds = command.add_subparsers(required=True, metavar="list|try|fetch")
    shown = kinds.add_parser("list", help="the voices: language, gender, licence, problems")
    shown.set_defaults(run=run_list)
    shown.add_argument("--language", metavar="TAG", help="only voices of this language: de, pt-BR")
    tried = kinds.add_parser("try", help="speak a text with one voice, into a WAV file")
    tried.set_defaults(run=run_try)
    tried.add_argument("voice", help="an id of `voices list`, or auto")
    tried.add_argument("--text", metavar="TEXT", help="default: a sentence of the language")
    tried.add_argument("--language", metavar="TAG", help="a language of the voice")
    tried.add_argument("--speed", type=float, metavar="X", help="0.5 to 2; 1 is its own pace")
    tried.add_argument(
        "--output", metavar="FILE", help="default: the voice's name with .wav; - is standard output"
    )
    fetched = kinds.add_parser("fetch", help="download a voice of Piper, or Kokoro")
    fetched.set_defaults(run=run_fetch)
    fetched.add_argument("name", metavar="NAME", help="en_US-amy-medium, for example; or kokoro")
    fetched.add_argument("--endpoint", metavar="URL", help="a mirror of the hub")
    for each in (shown, tried, fetched):
        each.add_argument("--config", type=Path, metavar="FILE", help="YAML file of settings")


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the settings; raises BadSettings."""
    return read_settings([] if arguments.config is None else ["--config", str(arguments.config)])


def run_list(arguments: argparse.Namespace) -> int:
    """Print the voices, one per line; 1 if none speaks the language."""
    with closing(configured_voices(settings_of(arguments), is_loaded=False)) as voices:
        infos = [info for info in voices.infos() if speaks(info, arguments.language)]
    for info in infos:
        print(voice_line(info))
    if not infos:
        print(f"No voice speaks {arguments.language!r}.", file=sys.stderr)
    return int(not infos)


def speaks(info: VoiceInfo, language: str | None) -> bool:
    """Return True if a voice speaks a language, or a variety of it."""
    return language is None or any(look_up(tag, {language}) for tag in info.languages)


def voice_line(info: VoiceInfo) -> str:
    """A voice in one line."""
    languages = ", ".join(info.languages[:_LANGUAGES_SHOWN])
    start = f"{info.id:{_ID_WIDTH}} {languages:20} {info.gender:8}"
    if info.problem is not None:
        return f"{start} not usable: {info.problem}"
    pace = "" if info.is_live else "; too slow to be live here"
    return f"{start} {info.sample_rate_hz / 1000:g} kHz, {info.licence}{pace}"


def run_try(arguments: argparse.Namespace) -> int:
    """Speak a text into a WAV file, and report the time it took; raises BadSpeechRequest."""
    with closing(configured_voices(settings_of(arguments), is_loaded=False)) as voices:
        choice = voices.choose(
            voice=arguments.voice, language=arguments.language, speed=arguments.speed
        )
        text = arguments.text or sample_text(choice.language)
        list(voices.speak(sample_text(choice.language), choice))  # loads the voice
        speeches, first_s, all_s = timed_speech(voices, text, choice)
    from warm.media.wav import wav_bytes  # noqa: PLC0415 - loads PyAV, for this command only

    write(wav_bytes(speeches), output_of(arguments.output, choice.voice))
    seconds = sum(speech.duration_s for speech in speeches)
    print(
        f"{choice.voice} ({choice.language}): {seconds:.2f} s of speech in {all_s:.2f} s, "
        f"{seconds / all_s:.0f} times real time; first sound after {1000 * first_s:.0f} ms",
        file=sys.stderr,
    )
    for remark in dict.fromkeys(remark for speech in speeches for remark in speech.remarks):
        print(remark, file=sys.stderr)
    return 0


def run_fetch(arguments: argparse.Namespace) -> int:
    """Download a voice into `voices_dir`; raises the errors of a download."""
    settings = settings_of(arguments)
    endpoint = (arguments.endpoint or settings.models_endpoint).rstrip("/")
    options = VoiceDownload(folder=settings.voices_folder, endpoint=endpoint)
    if arguments.name == KOKORO:
        download_kokoro(KokoroDownload(voices_dir=settings.voices_folder))
        print(f"Hear one: {own_command('voices', 'try', f'{KOKORO}:{LISTED_WHILE_MISSING}')}")
        return 0
    name = arguments.name.removeprefix(f"{PREFIX}:")
    download_voice(name, options)
    print(f"Hear it: {own_command('voices', 'try', f'{PREFIX}:{name}')}")
    return 0


def timed_speech(
    voices: Voices,
    text: str,
    choice: VoiceChoice,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[list[Speech], float, float]:
    """Return the sentences, and the seconds until the first sound and until all are complete."""
    began_s = clock()
    first_s: list[float] = []

    def completed() -> Iterator[Speech]:
        for speech in voices.speak(text, choice):
            first_s.append(clock() - began_s)
            yield speech.completed()

    speeches = list(completed())
    return speeches, first_s[0], clock() - began_s


def output_of(named: str | None, voice: str) -> str:
    """Return the file to write: the named one, or one named after the voice."""
    if named is not None:
        return named
    name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in voice)
    return f"{name}.wav"


def write(data: bytes, output: str) -> None:
    """Write the audio to a file or to standard output."""
    if output == STANDARD_OUTPUT:
        sys.stdout.buffer.write(data)
        return
    Path(output).write_bytes(data)
    print(f"Wrote {output}", file=sys.stderr)
