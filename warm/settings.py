"""Every setting of the server in one frozen object, read once.

Defaults < YAML file < `WARMTALK_…` environment < command line. Nothing else reads the environment.
"""

import argparse
import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import yaml
from pydantic import Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from session.film import SAMPLE_RATE_HZ, WriterKind
from stabilizers.settings import KalmanConstants, OneEuroConstants, Smoothing, TrackSettings
from warm.avatars.recipe import PreparationSettings
from warm.avatars.store import ID_PATTERN
from warm.installation import shipped

ENV_PREFIX = "WARMTALK_"
SESSION = "session"
DEFAULT_CONFIG = shipped("configs/live.yaml")
DEVICE_PATTERN = r"^(auto|cpu|cuda(:[0-9]{1,2})?)$"
PATTERNS = {
    ID_PATTERN.pattern: "1 to 64 letters, digits, `_`, `-`",
    DEVICE_PATTERN: "`auto`, `cpu`, `cuda`, `cuda:N`",
}
"""What each pattern allows, in words."""


PREPARATION, TRACK = PreparationSettings(), TrackSettings()
Positive = Annotated[float, Field(gt=0, le=10_000)]


class BadSettings(ValueError):
    """The settings cannot be used; one line of the message per fault."""


class Settings(BaseSettings):
    """What an operator can choose. Paths are relative to the working directory."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, use_attribute_docstrings=True
    )

    # The avatar and how it is prepared.
    avatar_id: Annotated[str, Field(pattern=ID_PATTERN.pattern)] = "demo"
    """The avatar that speaks: a folder in `results_dir/avatars`."""
    video_path: Path | None = None
    """Photo or video that `preparation` makes the avatar from."""
    preparation: bool = False
    """Prepare `avatar_id` from `video_path` before the server starts. Instant if it is up to
    date."""
    bbox_shift: Annotated[int, Field(ge=-60, le=60)] = 0
    """Moves the face's box and mask down, in pixels of the frame; negative values move them up."""
    fps: Annotated[int, Field(ge=10, le=60)] = 25
    """Frames per second of avatars and films. Must divide 48000."""

    max_side: Annotated[int, Field(ge=128, le=4096)] = PREPARATION.max_side
    """Larger pictures are scaled down to this many pixels."""
    max_s: Annotated[int, Field(ge=1, le=60)] = PREPARATION.max_s
    """Only this much of a longer video is used, in seconds from its beginning."""

    # How mouths are placed.
    blend_mode: Literal["feather", "poisson"] = "feather"
    """feather: a soft edge. poisson: the patch takes over the colours around it."""
    subpixel_enabled: bool = TRACK.subpixel_enabled
    """Place patches between pixels; if off, positions are rounded to whole pixels."""
    scale_lock_enabled: bool = TRACK.scale_lock_enabled
    """Hold the size of the face at its median, until a running median leaves it by 4 %."""
    scale_lock_warmup_frames: Annotated[int, Field(ge=1, le=1000)] = TRACK.scale_lock_warmup_frames
    """Frames of that running median."""
    affine_tracking_enabled: bool = TRACK.affine_tracking_enabled
    """Fuse Lucas-Kanade tracks of nose bridge and eyes with the landmarks."""
    smoothing: Smoothing = TRACK.smoothing
    """Filter of the face transforms. Its unit is the pixel of the upright 256-pixel crop."""
    one_euro_min_cutoff_hz: Positive = TRACK.one_euro.min_cutoff_hz
    """Cut-off frequency at rest: lower is calmer, and lags more in motion."""
    one_euro_beta: Annotated[float, Field(ge=0, le=1000)] = TRACK.one_euro.beta
    """How fast the cut-off frequency grows with speed, Hz per unit/s: higher lags less."""
    one_euro_derivative_cutoff_hz: Positive = TRACK.one_euro.derivative_cutoff_hz
    """Cut-off frequency of the speed estimate: higher detects a sudden move earlier, but also more
    noise."""
    kalman_acceleration: Positive = TRACK.kalman.acceleration
    """Standard deviation of the acceleration of a calm head, unit/s²."""
    kalman_noise: Positive = TRACK.kalman.noise
    """Standard deviation of a measured value, unit."""
    kalman_surprise: Positive = TRACK.kalman.surprise
    """Squared innovation, in variances, above which the head counts as moving suddenly."""
    kalman_sudden: Positive = TRACK.kalman.sudden
    """Factor by which the acceleration may be larger in a sudden move."""

    # The engine and the voice.
    engine: Literal["viseme", "musetalk"] = "viseme"
    """viseme: embedded, on the CPU, no download. musetalk: neural, for a GPU, needs weights."""
    device: Annotated[str, Field(pattern=DEVICE_PATTERN)] = "auto"
    """Where the neural engine computes. auto: the first GPU, otherwise the CPU, where it is not
    live."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """Number format of the neural engine. auto: fp16 on a GPU, fp32 on a CPU, where bf16 is twice
    as fast."""
    placement: Literal["stabilized", "reference"] = "stabilized"
    """Crop of the neural engine. stabilized: through the steady face transforms. reference: each
    frame's own box in whole pixels."""
    face_mask: Literal["landmarks", "parser"] = "landmarks"
    """Where the neural engine's mask comes from: the landmarks, or a SegFormer in
    `models_dir/face-parsing`."""
    decoder: Literal["full", "half", "tiny"] = "full"
    """Turns the neural engine's latents into pictures. half: only their lower part. tiny: the
    autoencoder in `models_dir/taesd`. Both are faster, and their pictures differ from the
    reference's."""
    exact_savings: bool = True
    """Skip what the networks would compute twice; pictures change only by rounding."""
    cuda_graphs: bool = True
    """Record the networks' passes at the start and replay them: faster, for seconds at the
    start."""
    compile_networks: bool = False
    """Compile the networks with PyTorch: faster on a GPU, for minutes at the start."""
    fused_kernels: bool = True
    """Compute norms and sums between convolutions in fewer steps on a GPU, if that proves
    faster."""
    search_kernels: bool = False
    """Let cuDNN try its kernels and keep the fastest: for seconds at the start."""
    models_dir: Path = Path("models")
    """Folder of the models: `face/`, and `musetalkV15/`, `sd-vae/`, `whisper/` of the neural
    engine."""
    models_endpoint: str = "https://huggingface.co"
    """Where `python -m warm models download` downloads from: the hub or a mirror of it."""
    models_source: Path | None = None
    """A folder that it copies the files from instead, without network access."""
    batch_size: Annotated[int, Field(ge=1, le=100)] = 25
    """Maximum number of frames per batch of the engine; also the longest fragment of a film."""
    first_batch_size: Annotated[int, Field(ge=1, le=100)] = 3
    """Frames of a clip's first fragment; the next one has twice as many. Fewer are rendered sooner,
    but a browser starts only with a quarter of a second."""
    max_vram_gb: Annotated[float, Field(gt=0, le=1000)] | None = None
    """GPU memory that the neural engine may use, GB; batches are as large as fit. None: all that is
    free when it is loaded."""
    lazy_load: bool = False
    """Load the engine on demand, at the first request to speak or to create a session, instead of
    at the start."""
    unload_idle_seconds: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    """Unload the engine after this many seconds without speech; the next request loads it. 0:
    never."""
    clear_cache_after_generation: bool = False
    """Return the GPU memory that is cached for the next batch whenever nobody speaks any more."""
    voice: str = "espeak-en-us-female"
    """Voice of a request that names neither voice nor language; `GET /voices` lists them."""
    language: str | None = None
    """Language of that voice. None: the voice's own."""
    speed: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    """Pace of the voice; 1.0 is its own."""

    # Limits.
    max_text_chars: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Maximum length of the text of one request."""
    max_audio_s: Annotated[float, Field(gt=0, le=1_000_000)] = 14_400.0
    """Maximum length of a sound file of `python -m warm render`, seconds."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 1 << 18
    """Maximum size of a request body."""
    max_queue: Annotated[int, Field(ge=1, le=1000)] = 8
    """Requests that may wait for their turn; one more gets 503."""
    max_speaking: Annotated[int, Field(ge=1, le=256)] = 8
    """Sessions whose clips are rendered at once; each takes about 80 MB. Further requests wait."""
    lead_s: Annotated[float, Field(ge=0.2, le=60)] | None = None
    """How far ahead of playback a clip is rendered, for requests that do not set it: a small value
    leaves something to interrupt. None: without limit."""
    max_sessions: Annotated[int, Field(ge=1, le=10_000)] = 64
    """Sessions that may exist at once."""
    max_session_s: Annotated[float, Field(gt=0, le=1_000_000)] = 36_000.0
    """Maximum length of a session's film, seconds. A text that cannot fit is refused, or spoken as
    far as it fits."""
    max_session_mb: Annotated[float, Field(gt=0, le=1_000_000)] = 16_000.0
    """Maximum size of a session's film, MB; likewise, estimated from its pictures so far."""
    session_idle_s: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    """The film of a session is closed after this many seconds without speech, and opened by the
    next request. 0: never."""
    min_free_mb: Annotated[float, Field(ge=0, le=1_000_000_000)] = 64.0
    """No clip is started when less disk space is free, MB. 0: not checked."""
    max_avatars_mb: Annotated[float, Field(gt=0, le=1_000_000)] = 4_000.0
    """Avatars kept in memory, MB; the least recently used one is evicted first. `avatar_id`, and
    avatars that are speaking, are never evicted."""
    avatar_ttl_s: Annotated[float, Field(ge=0, le=1_000_000)] = 3_600.0
    """An avatar is evicted from memory after this many seconds without use. 0: never."""
    writer: WriterKind = "fragments"
    """fragments: one growing film, watched live. concat: an ordinary MP4 that each clip replaces;
    slower with its length, not live."""
    archive_on_reset: bool = False
    """Keep the film of a session that is reset, in `results_dir/archive`."""
    max_archives: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Films in the archive, of all sessions together; the oldest is deleted first."""
    max_watchers: Annotated[int, Field(ge=1, le=1000)] = 32
    """Responses that wait for a film to grow and may be open at once; each holds a thread."""
    stale_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """How long one step of the render thread may take before `/health` reports it as stale,
    seconds."""
    stop_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """How long a shutdown waits for the current fragment, seconds."""

    # Places.
    results_dir: Path = Path("results")
    """Avatars and sessions are written here."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 opens the server to the network."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    """Port to listen on."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        *_sources: PydanticBaseSettingsSource,
        **named: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Built by hand, settings are what was passed; `read_settings` looks further."""
        return (named["init_settings"],)

    @field_validator("models_endpoint")
    @classmethod
    def _address_of_a_hub(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must be a web address; allowed: http://… or https://…")
        return value

    @field_validator("fps")
    @classmethod
    def _whole_samples_per_frame(cls, value: int) -> int:
        if SAMPLE_RATE_HZ % value:
            allowed = [rate for rate in range(10, 61) if SAMPLE_RATE_HZ % rate == 0]
            raise ValueError(f"must divide {SAMPLE_RATE_HZ}; allowed: {allowed}")
        return value

    @property
    def preparation_settings(self) -> PreparationSettings:
        """What an avatar is prepared with."""
        track = TrackSettings(
            smoothing=self.smoothing,
            subpixel_enabled=self.subpixel_enabled,
            scale_lock_enabled=self.scale_lock_enabled,
            scale_lock_warmup_frames=self.scale_lock_warmup_frames,
            affine_tracking_enabled=self.affine_tracking_enabled,
            one_euro=OneEuroConstants(
                min_cutoff_hz=self.one_euro_min_cutoff_hz,
                beta=self.one_euro_beta,
                derivative_cutoff_hz=self.one_euro_derivative_cutoff_hz,
            ),
            kalman=KalmanConstants(
                acceleration=self.kalman_acceleration,
                noise=self.kalman_noise,
                surprise=self.kalman_surprise,
                sudden=self.kalman_sudden,
            ),
        )
        return PreparationSettings(
            fps=self.fps,
            max_side=self.max_side,
            max_s=self.max_s,
            bbox_shift=self.bbox_shift,
            engine=self.engine,
            track=track,
        )

    @property
    def http_threads(self) -> int:
        """Threads for HTTP: every watcher and every waiting request has one, and some are left."""
        return self.max_watchers + self.max_queue + self.max_speaking + 8


def read_settings(argv: Sequence[str] = (), *, program: str = "app.py") -> Settings:
    """Settings from the command line, the environment and the YAML file; raises BadSettings.

    The file is `--config`, else `WARMTALK_CONFIG`, else the shipped `configs/live.yaml`.
    `program` is the name in the usage message.
    """
    given = _command_line(argv, program)
    config = Path(given.pop("config", os.environ.get(f"{ENV_PREFIX}CONFIG", DEFAULT_CONFIG)))
    from_file = _yaml_file(config)
    _check_environment()
    try:
        settings = _sourced(given, from_file)()
    except ValidationError as invalid:
        places = {
            "the command line": given,
            "the environment": _environment(),
            str(config): from_file,
        }
        raise BadSettings(
            "\n".join(_describe(error, places) for error in invalid.errors())
        ) from None
    return Settings.model_construct(**dict(settings))


def _sourced(given: Mapping[str, str], from_file: Mapping[str, Any]) -> type[Settings]:
    class Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            *_sources: PydanticBaseSettingsSource,
            **_named: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (
                InitSettingsSource(settings_cls, dict(given)),
                EnvSettingsSource(settings_cls),
                InitSettingsSource(settings_cls, dict(from_file)),
            )

    return Sourced


def _command_line(argv: Sequence[str], program: str) -> dict[str, str]:
    parser = _Parser(prog=program, description="Warmtalk server.", allow_abbrev=False)
    parser.add_argument("--config", metavar="FILE", help="YAML file of settings")
    for name, field in Settings.model_fields.items():
        parser.add_argument(_flag(name), dest=name, metavar="VALUE", help=field.description)
    known, unknown = parser.parse_known_args(list(argv))
    for word in unknown:
        flags = [_flag(name) for name in (*Settings.model_fields, "config")]
        raise BadSettings(f"command line: {_unknown(word.split('=')[0], flags)}")
    return {name: value for name, value in vars(known).items() if value is not None}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadSettings(f"command line: {message}")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _yaml_file(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise BadSettings(f"{path}: cannot be read: {error.strerror}; check the path") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadSettings(f"{path}: cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise BadSettings(
            f"{path}: must be a mapping of settings, received a {type(content).__name__}"
        )
    named = list(_names(content))
    for key, _ in named:
        if key not in Settings.model_fields:
            raise BadSettings(f"{path}: {_unknown(str(key), Settings.model_fields)}")
        if sum(key == other for other, _ in named) > 1:
            raise BadSettings(f"{path}: {key} is set twice; keep one")
    return dict(named)


def _names(content: dict[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """Each setting of a file; what is said of a session may stand under `session`."""
    for key, value in content.items():
        if key == SESSION and isinstance(value, dict):
            yield from value.items()
        else:
            yield str(key).removeprefix(f"{SESSION}."), value


def _check_environment() -> None:
    known = [f"{ENV_PREFIX}{name.upper()}" for name in (*Settings.model_fields, "config")]
    for name in os.environ:
        if name.startswith(ENV_PREFIX) and name not in known:
            raise BadSettings(f"environment: {_unknown(name, known)}")


def _environment() -> dict[str, str]:
    """The settings that the environment gives, by their names."""
    return {
        name: os.environ[variable]
        for name in Settings.model_fields
        if (variable := f"{ENV_PREFIX}{name.upper()}") in os.environ
    }


def _unknown(name: str, known: Iterable[str]) -> str:
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"allowed: {', '.join(known)}"
    return f"unknown setting {name!r}; {hint}"


def _describe(error: ErrorDetails, places: Mapping[str, Mapping[str, Any]]) -> str:
    name = str(error["loc"][0])
    place = next(where for where, values in places.items() if name in values)
    message = error["msg"].removeprefix("Value error, ")
    told = "allowed" in message or error["type"] == "literal_error"
    choice = "" if told else f"; allowed: {allowed(name).replace('`', '')}"
    fault = f"{name} = {error['input']!r} (from {place}): {message}"
    return f"{fault}{choice}{_hint(name, error['input'])}"


def allowed(name: str) -> str:
    """What the setting `name` may be, in words; literal values between backticks."""
    return _in_words(Settings.model_json_schema()["properties"][name])


def _in_words(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_in_words(part) for part in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if "minimum" in schema or "exclusiveMinimum" in schema:
        lowest = schema.get("minimum", f"over {schema.get('exclusiveMinimum')}")
        return f"{lowest} to {schema['maximum']}"
    if "pattern" in schema:
        return PATTERNS[schema["pattern"]]
    kinds = {"boolean": "`true`, `false`", "null": "none", "string": "text"}
    return "a path" if schema.get("format") == "path" else kinds[schema["type"]]


def _hint(name: str, value: object) -> str:
    """The allowed word nearest to a misspelt one."""
    choices = [
        str(word) for word in getattr(Settings.model_fields[name].annotation, "__args__", ())
    ]
    close = difflib.get_close_matches(str(value), choices, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
