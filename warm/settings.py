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
from warm.installation import shipped

ENV_PREFIX = "WARMTALK_"
SESSION = "session"
DEFAULT_CONFIG = shipped("configs/live.yaml")
ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
"""What names of avatars and sessions are made of: they become folder names."""
DEVICE_PATTERN = r"^(auto|cpu|cuda(:[0-9]{1,2})?)$"
PATTERNS = {
    ID_PATTERN: "1 to 64 letters, digits, `_`, `-`",
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
    avatar_id: Annotated[str, Field(pattern=ID_PATTERN)] = "demo"
    """Name of the prepared avatar that speaks: a folder in `results_dir/avatars`."""
    video_path: Path | None = None
    """Photo or video that `preparation` makes the avatar from."""
    preparation: bool = False
    """Prepare `avatar_id` from `video_path` before the server starts; instant if up to date."""
    bbox_shift: Annotated[int, Field(ge=-60, le=60)] = 0
    """Moves the face's box and mask, in pixels of the frame; positive is down."""
    fps: Annotated[int, Field(ge=10, le=60)] = 25
    """Frames per second of avatars and films; must divide 48000."""

    max_side: Annotated[int, Field(ge=128, le=4096)] = PREPARATION.max_side
    """Larger pictures are scaled down to it, pixels."""
    max_s: Annotated[int, Field(ge=1, le=60)] = PREPARATION.max_s
    """Of a longer video only the beginning is used, seconds."""

    # How mouths are placed.
    blend_mode: Literal["feather", "poisson"] = "feather"
    """feather: a soft edge; poisson: the patch takes over the colours around it."""
    subpixel_enabled: bool = TRACK.subpixel_enabled
    """Place patches between pixels; off rounds to whole pixels."""
    scale_lock_enabled: bool = TRACK.scale_lock_enabled
    """Hold the face's size at its median once `scale_lock_warmup_frames` have been seen."""
    scale_lock_warmup_frames: Annotated[int, Field(ge=1, le=1000)] = TRACK.scale_lock_warmup_frames
    affine_tracking_enabled: bool = TRACK.affine_tracking_enabled
    """Fuse Lucas-Kanade tracks of nose bridge and eyes with the landmarks."""
    smoothing: Smoothing = TRACK.smoothing
    """Filter of the face transforms. Its unit is the pixel of the upright 256 crop."""
    one_euro_min_cutoff_hz: Positive = TRACK.one_euro.min_cutoff_hz
    """Cut-off at rest: lower is calmer, and later in motion."""
    one_euro_beta: Annotated[float, Field(ge=0, le=1000)] = TRACK.one_euro.beta
    """How fast the cut-off grows with speed, Hz per unit/s: higher lags less."""
    one_euro_derivative_cutoff_hz: Positive = TRACK.one_euro.derivative_cutoff_hz
    """Cut-off of the speed estimate: higher notices a sudden move earlier, and noise too."""
    kalman_acceleration: Positive = TRACK.kalman.acceleration
    """Standard deviation of the acceleration of a calm head, unit/s²."""
    kalman_noise: Positive = TRACK.kalman.noise
    """Standard deviation of a measured value, unit."""
    kalman_surprise: Positive = TRACK.kalman.surprise
    """Squared innovation, in variances, from which on the head counts as moving suddenly."""
    kalman_sudden: Positive = TRACK.kalman.sudden
    """How many times the acceleration may be larger in a sudden move."""

    # The engine and the voice.
    engine: Literal["viseme", "musetalk"] = "viseme"
    """viseme: embedded, on the CPU, no download; musetalk: neural, for a GPU, needs weights."""
    device: Annotated[str, Field(pattern=DEVICE_PATTERN)] = "auto"
    """Where the neural engine computes. auto: the first GPU, else the CPU, where it is not live."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """Its numbers. auto: fp16 on a GPU, fp32 on a CPU, where bf16 is twice as fast."""
    placement: Literal["stabilized", "reference"] = "stabilized"
    """Its crop: through the steady face transforms, or each frame's own box in whole pixels."""
    face_mask: Literal["landmarks", "parser"] = "landmarks"
    """What tells its lower face: the landmarks, or a SegFormer in `models_dir/face-parsing`."""
    decoder: Literal["full", "half", "tiny"] = "full"
    """What makes pictures of its latents. half: their lower part alone; tiny: the autoencoder in
    `models_dir/taesd`. Both are faster, and their pictures are not the reference's."""
    exact_savings: bool = True
    """Leave out what its networks compute twice; pictures are the same but for rounding."""
    cuda_graphs: bool = True
    """Record its passes at the start and play them: faster, for seconds at the start."""
    compile_networks: bool = False
    """Have PyTorch compile its networks: faster on a GPU, for minutes at the start."""
    fused_kernels: bool = True
    """Norms and sums between its convolutions in fewer steps on a GPU, where that proves faster."""
    search_kernels: bool = False
    """Have cuDNN try its ways to convolve and keep the fastest: for seconds at the start."""
    models_dir: Path = Path("models")
    """Where models lie: `face/`, and `musetalkV15/`, `sd-vae/`, `whisper/` of the neural engine."""
    models_endpoint: str = "https://huggingface.co"
    """Where `python -m warm models download` fetches from: the hub or a mirror of it."""
    models_source: Path | None = None
    """A folder that it takes the files from instead, without a network."""
    batch_size: Annotated[int, Field(ge=1, le=100)] = 25
    """Most frames that the engine makes at once; also the longest fragment of a film."""
    first_batch_size: Annotated[int, Field(ge=1, le=100)] = 3
    """Frames of a clip's first fragment; the next has twice as many. Fewer are made sooner, but a
    browser begins when it has a quarter of a second."""
    max_vram_gb: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Most memory of a GPU that the neural engine takes, GB; passes are as large as fit. None: all
    that is free when it is loaded."""
    lazy_load: bool = False
    """Load the engine when somebody wants to speak, or makes a session, instead of at the start."""
    unload_idle_seconds: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    """Unload the engine when nothing was said for so long; the next request loads it. 0: never."""
    clear_cache_after_generation: bool = False
    """Return what a GPU keeps for the next pass whenever nobody speaks any more."""
    voice: str = "espeak-en-us-female"
    """Voice of a request that names neither voice nor language; `GET /voices` lists them."""
    language: str | None = None
    """Language of that voice; none is the voice's own."""
    speed: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    """1.0 is the voice's own pace."""

    # Limits.
    max_text_chars: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Longest text of one request."""
    max_audio_s: Annotated[float, Field(gt=0, le=1_000_000)] = 14_400.0
    """Longest sound file of `python -m warm render`, seconds."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 1 << 18
    """Largest body of a request."""
    max_queue: Annotated[int, Field(ge=1, le=1000)] = 8
    """Requests that may wait for their turn; one more is answered 503."""
    max_speaking: Annotated[int, Field(ge=1, le=256)] = 8
    """Sessions in which clips are made at once; each takes 80 MB or so. Others' requests wait."""
    lead_s: Annotated[float, Field(ge=0.2, le=60)] | None = None
    """How far ahead of its playing a clip is made, for requests that do not say: little leaves
    something to interrupt. None: as far as it goes."""
    max_sessions: Annotated[int, Field(ge=1, le=10_000)] = 64
    """Sessions that may exist at once."""
    max_session_s: Annotated[float, Field(gt=0, le=1_000_000)] = 36_000.0
    """Longest film of a session, seconds. What cannot fit is refused, or said as far as it fits."""
    max_session_mb: Annotated[float, Field(gt=0, le=1_000_000)] = 16_000.0
    """Largest film of a session, MB; likewise, by what its pictures have taken so far."""
    session_idle_s: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    """The film of a session that is silent for so long is closed, and opened by the next request.
    0: never."""
    min_free_mb: Annotated[float, Field(ge=0, le=1_000_000_000)] = 64.0
    """No clip is begun when less of the disk is free, MB. 0: nobody looks."""
    max_avatars_mb: Annotated[float, Field(gt=0, le=1_000_000)] = 4_000.0
    """Avatars kept in memory; the one wanted longest ago goes first. `avatar_id`, and who speaks,
    stay in any case."""
    avatar_ttl_s: Annotated[float, Field(ge=0, le=1_000_000)] = 3_600.0
    """An avatar that nobody wanted for so long leaves the memory. 0: never."""
    writer: WriterKind = "fragments"
    """fragments: one growing film, watched live; concat: an ordinary MP4 that each clip replaces,
    slower with its length, not live."""
    archive_on_reset: bool = False
    """Keep the film of a session that is reset, in `results_dir/archive`."""
    max_archives: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Films in the archive, of all sessions together; the oldest is deleted first."""
    max_watchers: Annotated[int, Field(ge=1, le=1000)] = 32
    """Streams of `GET /session/stream` that may be open at once; each holds a thread."""
    stale_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """How long one step of the render thread may take before `/health` calls it stale."""
    stop_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """How long a stop waits for the fragment being made."""

    # Places.
    results_dir: Path = Path("results")
    """Avatars and sessions are written here."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 opens the server to the network."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8000

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
