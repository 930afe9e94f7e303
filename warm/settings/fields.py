"""The settings: one frozen object with a field for each."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    create_model,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from session.film import SAMPLE_RATE_HZ, WriterKind
from stabilizers.settings import TrackSettings
from tts.openai.sound import DEFAULT_RATE_HZ, MAX_RATE_HZ, MIN_RATE_HZ
from warm.avatars.mouth_report import MouthChoice
from warm.avatars.recipe import ENGINES, PreparationSettings, Teeth, check_background
from warm.avatars.store import ID_PATTERN
from warm.settings.chat_address import check_chat_url
from warm.settings.coqui_models import check_models, read_json
from warm.settings.ice_addresses import check_ice_servers, require_no_turn_server
from warm.settings.network import (
    check_frame_ancestors,
    check_hosts,
    check_networks,
    check_origins,
    check_prefix,
    check_proxies,
    check_public_url,
    checked_head_url,
    joined,
)
from warm.settings.ray_address import check_ray_address
from warm.settings.recogniser import check_transcriber
from warm.settings.speech_server import check_languages, check_url, checked_key
from warm.settings.stabilizers import track_fields, track_settings

ENV_PREFIX = "WARMTALK_"
MODE_PATTERN = r"^[0-7]{3}$"
DEVICE_PATTERN = r"^(auto|cpu|cuda(:[0-9]{1,2})?)$"
REMOTE_PATTERN = r"^(viseme|musetalk|[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*)$"
AUTO_SPEAKING = 16
"""Most clips that are rendered at once if `max_speaking` is `auto`."""
PATTERNS = {
    ID_PATTERN.pattern: "1 to 64 letters, digits, `_`, `-`",
    MODE_PATTERN: "three octal digits",
    DEVICE_PATTERN: "`auto`, `cpu`, `cuda`, `cuda:N`",
    REMOTE_PATTERN: "`viseme`, `musetalk`, or `module:name`",
}
"""The patterns in words, for messages and documentation."""

PREPARATION = PreparationSettings()


class AvatarSettings(BaseSettings):
    """Settings of the avatar and its preparation. Paths are relative to the working directory."""

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
    teeth: Teeth = PREPARATION.teeth
    """Photos with parted lips. close: the lips are moved together. keep: the teeth stay in view,
    and the lips never meet in speech."""

    background: str | None = None
    """Shown in place of what is behind the person: a colour (`#rrggbb`), or the path of a picture.
    None: the background of the photo or video."""

    # Preparations that clients of the server ask for.
    preparation_memory_mb: Annotated[int, Field(ge=300, le=1_000_000)] | None = None
    """Memory that the process of a preparation may use, MB; a preparation that needs more fails.
    None: 2000, or 16000 for the neural engine."""
    preparation_timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 1800.0
    """Maximum duration of a preparation, seconds."""
    max_faces_mb: Annotated[float, Field(gt=0, le=1_000_000_000)] = 20_000.0
    """Maximum disk space of the avatars that are made from the pictures of talks, MB: the least
    recently used are deleted, but none that is in use or was used in the last ten minutes."""
    enhance_max_s: Annotated[float, Field(gt=0, le=1_000_000)] = 120.0
    """Longest film that a job with the option `enhance` may enhance, seconds."""
    preparation_niceness: Annotated[int, Field(ge=0, le=19)] = 19
    """Nice value of the process of a preparation. 19: it uses only CPU time that nothing else
    needs. With lower values, it finishes sooner next to other programs, and may delay live
    speech."""

    # Placement of the mouth.
    blend_mode: Literal["feather", "poisson"] = "feather"
    """feather: a soft edge. poisson: the patch takes over the colours around it."""
    life: bool = True
    """Head, brows and lids follow the speech: nods at stressed syllables, a lift of head and brows
    for questions, blinks at the ends of phrases. false: the idle loop goes on unchanged."""


if TYPE_CHECKING:

    class StabilizedAvatarSettings(AvatarSettings):
        """`AvatarSettings` with the settings of `track_fields`."""

else:
    StabilizedAvatarSettings = create_model(
        "StabilizedAvatarSettings", __base__=AvatarSettings, **track_fields()
    )


class Settings(StabilizedAvatarSettings):
    """All settings: those of avatar and stabilizers, and those below.

    Values come from the arguments only; `read_settings` reads the other sources.
    """

    # The engine and the voice.
    engine: Literal["viseme", "musetalk", "remote"] = "viseme"
    """viseme: embedded, on the CPU, no download. musetalk: neural, for a GPU, needs weights.
    remote: runs `remote_engine` in Ray actors, on other GPUs or machines."""
    mouth: MouthChoice = "auto"
    """Mouth of the embedded engine. auto: learned from a talking video if it shows enough of the
    mouth, else painted. learned: avatars without enough footage are refused. painted: always."""
    device: Annotated[str, Field(pattern=DEVICE_PATTERN)] = "auto"
    """Device of the neural engine. auto: the first GPU, or else the CPU, which is too slow for live
    use."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """Number format of the neural engine. auto: fp16 on a GPU, fp32 on a CPU, where bf16 is twice
    as fast."""
    placement: Literal["stabilized", "reference"] = "stabilized"
    """Crop of the neural engine. stabilized: through the steady face transforms. reference: each
    frame's own box in whole pixels."""
    face_mask: Literal["landmarks", "parser"] = "landmarks"
    """Source of the neural engine's mask: the landmarks, or a SegFormer in
    `models_dir/face-parsing`."""
    decoder: Literal["full", "half", "tiny"] = "full"
    """Turns the neural engine's latents into pictures. half: only their lower part. tiny: the
    autoencoder in `models_dir/taesd`. Both are faster, and their pictures differ from the
    reference's."""
    exact_savings: bool = True
    """Skip what the networks would compute twice; pictures change only by rounding."""
    cuda_graphs: bool = True
    """Record the networks' passes at the start and replay them: faster, but the start takes seconds
    longer."""
    compile_networks: bool = False
    """Compile the networks with PyTorch: faster on a GPU, but the start takes minutes longer."""
    fused_kernels: bool = True
    """Compute norms and sums between convolutions in fewer steps on a GPU, if that proves
    faster."""
    search_kernels: bool = False
    """Let cuDNN try its kernels and keep the fastest: the start takes seconds longer."""
    remote_engine: Annotated[str, Field(pattern=REMOTE_PATTERN)] = "viseme"
    """Engine that `engine: remote` runs in the actors. `module:name`: a function or class that
    makes one from the settings, in a module that the server and the actors can import."""
    ray_address: str = "local"
    """Ray cluster of `engine: remote`. local: a Ray instance on this machine that starts and ends
    with the server. `HOST:PORT`: the head node of a cluster that this machine belongs to.
    `ray://HOST:PORT`: the client server of a cluster."""
    remote_actors: Annotated[int, Field(ge=1, le=1000)] | Literal["auto"] = "auto"
    """Number of actors that draw. auto: one per GPU of the cluster if the engine uses GPUs (fewer
    by `remote_spares`), otherwise one."""
    remote_spares: Annotated[int, Field(ge=0, le=100)] | Literal["auto"] = "auto"
    """Number of further actors that are loaded and draw nothing until one of the others ends or is
    late. Each takes the memory of an actor, and a GPU if the engine uses GPUs. auto: one for
    `remote_engine: viseme`, otherwise none."""
    remote_deadline_s: Annotated[float, Field(ge=0.01, le=60)] = 0.25
    """Shortest time after which an unanswered batch is also sent to another actor, seconds."""
    ray_connect_s: Annotated[float, Field(ge=0.1, le=600)] = 5.0
    """Longest wait for a connection to the cluster, seconds."""
    models_dir: Path = Path("models")
    """Folder of the models: `face/`, and `musetalkV15/`, `sd-vae/`, `whisper/` of the neural
    engine."""
    face_models_dir: Path | None = None
    """Folder of the face models, which may be part of an image. None: `face` in `models_dir`."""
    models_endpoint: str = "https://huggingface.co"
    """Address that `python -m warm models download` and `voices fetch` download from: the hub or a
    mirror of it."""
    models_source: Path | None = None
    """A folder that `python -m warm models download` copies the files from instead, without network
    access."""
    voices_dir: Path | None = None
    """Folder of voice files: pairs of NAME.onnx and NAME.onnx.json for Piper, and the subfolder
    kokoro. None: `voices` in `models_dir`."""
    batch_size: Annotated[int, Field(ge=1, le=100)] = 25
    """Maximum number of frames per batch of the engine; also the longest fragment of a film."""
    first_batch_size: Annotated[int, Field(ge=1, le=100)] = 3
    """Frames of a clip's first fragment; the next one has twice as many. Fewer are rendered sooner,
    but a browser starts to play only when it has a quarter of a second."""
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
    """When the last clip has ended, return the GPU memory that is cached for the next batch."""
    voice: str = "auto"
    """Voice of a request that names neither voice nor language; `GET /voices` lists them. auto: the
    best one for the language."""
    language: str | None = None
    """Language of that voice. None: the voice's own; with `voice: auto`, English."""
    voice_fallback: str | None = None
    """Voice that speaks a sentence whose own voice is unavailable; the answer then says so. None:
    such a sentence is an error."""
    speed: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    """Pace of the voice; 1.0 is its own."""

    # The speech server of the voices `openai:NAME`.
    tts_url: str | None = None
    """Address of a server with OpenAI's `POST /v1/audio/speech`, such as `http://localhost:8880`.
    None: there are no such voices."""
    tts_key: SecretStr | None = None
    """Key of that server, sent as a bearer token to it alone. Set it in the environment, where
    other users of the machine cannot read it."""
    tts_model: str = "tts-1"
    """Model that requests to the server name."""
    tts_voices: str | None = None
    """Voices to list if the server lists none, separated by commas. All its voices may be named in
    requests, listed or not."""
    tts_languages: str | None = None
    """Languages of voices whose language the server does not name: a list of BCP 47 tags, the
    default one first. None: those that OpenAI names, English first."""
    tts_rate_hz: Annotated[int, Field(ge=MIN_RATE_HZ, le=MAX_RATE_HZ)] = DEFAULT_RATE_HZ
    """Sample rate of answers that do not state theirs."""
    tts_ca_file: Path | None = None
    """Certificates to trust instead of those of the system, in a PEM file."""
    tts_connect_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """Time to connect to the server, seconds; then the request gets 503."""
    tts_timeout_s: Annotated[float, Field(gt=0, le=600)] = 25.0
    """Time for a whole sentence, seconds. A live request waits no longer than 30 s."""
    tts_stall_timeout_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Time without a byte in the middle of a sentence's sound, seconds."""
    tts_max_parallel: Annotated[int, Field(ge=1, le=64)] = 4
    """Maximum number of sentences that the server is asked for at once; further ones wait."""

    # The models of the voices `coqui:NAME`.
    coqui_voices: Annotated[dict[Any, Any], BeforeValidator(read_json)] | None = None
    """Models of coqui-tts by the names of their voices: a model of its list, or a mapping with
    `model_path` and other members: docs/voices.md. None: there are no such voices."""

    # The language model of conversations.
    chat_url: str | None = None
    """Address of a server with OpenAI's `POST /v1/chat/completions`, such as
    `http://localhost:11434` (Ollama). None: the embedded model, a small demo: docs/chat.md."""
    chat_model: str | None = None
    """Model that requests to the server name. None: the first one that it lists. off: there is no
    chat."""
    chat_key: SecretStr | None = None
    """Key of that server, sent as a bearer token to it alone. Set it in the environment, where
    other users of the machine cannot read it."""
    chat_max_tokens: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Longest answer, in tokens. None: 80 for the embedded model, 500 for any other."""
    chat_temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Randomness of the answers. None: 0.2 for the embedded model, the server's own for others."""
    chat_history_tokens: Annotated[int, Field(ge=50, le=1_000_000)] | None = None
    """Maximum length of the conversation so far that the model is given, in estimated tokens; the
    oldest messages are left out. None: 300 for the embedded model, 3000 for any other."""
    chat_first_token_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    """Longest time until the model begins to write, seconds."""
    chat_token_s: Annotated[float, Field(gt=0, le=600)] = 15.0
    """Longest pause of the model in its answer, seconds."""
    chat_reply_s: Annotated[float, Field(gt=0, le=3600)] = 300.0
    """Longest time for a whole answer, seconds."""
    chat_fetch: bool = True
    """Download the embedded model (127 MB) at the first chat. false: only `make chat` does."""
    chat_idle_s: Annotated[float, Field(ge=1, le=86_400)] = 600.0
    """The embedded model is unloaded after this time without a chat, seconds."""
    chat_threads: Annotated[int, Field(ge=1, le=64)] = 1
    """CPU threads of the embedded model, which get only the CPU time that nothing else needs. With
    more than one they wait for one another while the server renders."""
    persona_file: Path | None = None
    """YAML file of the characters that answer. None: the shipped `configs/persona.yaml`."""
    persona: str | None = None
    """The character of sessions that have not chosen one. None: the first one of that file."""

    # The recogniser of speech.
    transcriber: str = "moonshine"
    """Recogniser of recordings. moonshine: embedded, English. whisper-tiny.en (English),
    whisper-base (about a hundred languages): embedded too, but slower, and with further packages.
    An address: a server with OpenAI's `POST /v1/audio/transcriptions`. none: recordings are
    refused. docs/speech-recognition.md."""
    stt_model: str | None = None
    """Model that requests to such a server name. None: whisper-1."""
    stt_key: SecretStr | None = None
    """Key of that server, sent as a bearer token to it alone. Set it in the environment, where
    other users of the machine cannot read it."""
    stt_timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    """Longest time for the answer of that server, or for one step of the embedded recogniser,
    seconds."""
    stt_fetch: bool = True
    """Download the embedded recogniser at the first recording. false: only `make hear` does."""
    stt_idle_s: Annotated[float, Field(ge=0, le=1_000_000)] = 300.0
    """The process of the embedded recogniser ends after this many seconds without recordings, and
    is started by the next one. 0: never."""
    stt_threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads of the embedded recogniser. More are faster if cores are idle; Whisper needs them."""
    max_utterance_s: Annotated[float, Field(ge=1, le=36_000)] = 300.0
    """Longest recording that is recognised, seconds; a longer one is refused."""
    max_transcriptions: Annotated[int, Field(ge=1, le=64)] = 4
    """Maximum number of recordings that are received and recognised at once. A client on another
    machine may have half of them."""

    # Limits.
    max_text_chars: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Maximum length of the text of one request."""
    max_audio_s: Annotated[float, Field(gt=0, le=1_000_000)] = 14_400.0
    """Maximum length of a sound file of `python -m warm render`, seconds."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 1 << 18
    """Maximum size of a request body; recordings and uploads have limits of their own."""
    max_upload_mb: Annotated[float, Field(gt=0, le=100_000)] = 200.0
    """Maximum size of an uploaded or fetched file, MB."""
    max_uploads_mb: Annotated[float, Field(gt=0, le=10_000_000)] = 4_000.0
    """Maximum size of all uploaded files together, MB; one more gets 507."""
    upload_ttl_s: Annotated[float, Field(ge=0, le=100_000_000)] = 86_400.0
    """An uploaded file is deleted after this many seconds, but never while a job uses it.
    0: never."""
    max_recording_mb: Annotated[float, Field(gt=0, le=1_000_000)] = 1000.0
    """Maximum size of a recording in `/speak`, MB. Its length is limited by max_session_s."""
    recording_stall_s: Annotated[float, Field(ge=1, le=30)] = 10.0
    """Longest pause of a recording that is sent while it is made, seconds. After it, or if the
    recording arrives far more slowly than it was spoken, the recording ends."""
    max_queue: Annotated[int, Field(ge=1, le=1000)] = 64
    """Maximum number of waiting requests; one more gets 503. Each client and each session has a
    share of it: docs/sessions.md."""
    max_speaking: Annotated[int, Field(ge=1, le=256)] | Literal["auto"] = "auto"
    """Maximum number of sessions whose clips are rendered at once; each takes about 80 MB. Further
    requests wait. auto: as many as this machine renders in real time by measurement, at most 16;
    `GET /stats` reports the number."""
    lead_s: Annotated[float, Field(ge=0.2, le=60)] | None = None
    """Maximum lead of rendering over playback, seconds, for requests that do not set it: a small
    value leaves something to interrupt. None: no limit. It is at most 0.5 while a session has live
    viewers."""
    max_sessions: Annotated[int, Field(ge=1, le=10_000)] = 64
    """Maximum number of sessions besides `default`; each client has a share of it. The oldest empty
    session makes room for a new one."""
    max_session_s: Annotated[float, Field(gt=0, le=1_000_000)] = 36_000.0
    """Maximum length of a session's film, seconds. A text that cannot fit is refused, or spoken as
    far as it fits."""
    max_session_mb: Annotated[float, Field(gt=0, le=1_000_000)] = 16_000.0
    """Maximum size of a session's film, MB, with the same effect; the size of a text is estimated
    from the film's frames so far."""
    session_idle_s: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    """The film of a session is closed after this many seconds without speech, and opened by the
    next request. 0: never."""
    min_free_mb: Annotated[float, Field(ge=0, le=1_000_000_000)] = 64.0
    """Free disk space without which no clip is started, MB. 0: not checked."""
    max_avatars_mb: Annotated[float, Field(gt=0, le=1_000_000)] = 4_000.0
    """Avatars kept in memory, MB; the least recently used one is evicted first. `avatar_id`, and
    avatars that are speaking, are never evicted."""
    avatar_ttl_s: Annotated[float, Field(ge=0, le=1_000_000)] = 3_600.0
    """An avatar is evicted from memory after this many seconds without use. 0: never."""
    writer: WriterKind = "fragments"
    """fragments: one growing film, watched live. concat: an ordinary MP4 that each clip
    replaces with a longer one; slower as it grows, not live."""
    archive_on_reset: bool = False
    """Keep the film of a session that is reset, in `results_dir/archive`."""
    max_archives: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Maximum number of archived films, of all sessions together; the oldest is deleted first."""
    max_queue_size: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Maximum number of waiting jobs; one more gets 503 with `Retry-After`. With keys, each owner
    has a share of it."""
    max_concurrent_jobs: Annotated[int, Field(ge=1, le=64)] = 2
    """Maximum number of jobs that run at once."""
    job_timeout_seconds: Annotated[float, Field(gt=0, le=1_000_000)] = 3_600.0
    """Maximum time that a job may run, seconds; then it ends as `error`."""
    job_ttl_s: Annotated[float, Field(ge=0, le=1_000_000_000)] = 86_400.0
    """The result of a job is deleted this many seconds after its end, and the job itself after
    twice that time. 0: never."""
    max_jobs_mb: Annotated[float, Field(gt=0, le=1_000_000_000)] = 4_000.0
    """Maximum size of all results of jobs together, MB; the oldest are deleted, but never the
    newest one."""
    max_watchers: Annotated[int, Field(ge=1, le=1000)] = 32
    """Maximum number of open responses that wait for a film to grow, each of which occupies a
    thread, and of live sockets. One client of another machine may have half of them."""
    max_downloads: Annotated[int, Field(ge=1, le=10_000)] = 64
    """Maximum number of films, or parts of films, that are sent at once. One client of another
    machine may have half of them."""
    max_connections: Annotated[int, Field(ge=16, le=100_000)] = 384
    """Maximum number of open connections; when there are more, an idle one is closed. Lower if the
    limit on open files requires it. One client of another machine may have half of them."""
    on_disconnect: Literal["auto", "continue", "cancel"] = "auto"
    """Effect on a request to speak when its client disconnects before the answer. auto: it is
    cancelled unless somebody watches the session. continue: it is spoken to its end. cancel: it is
    always cancelled."""
    stale_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Time after which `/health` reports a stalled step, such as the opening of a film or a pass of
    the engine, seconds; a reset or an interruption that waits longer gets 503."""
    step_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Time after which a request gets 503 if one of its steps is stalled, seconds."""
    stop_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Maximum time that a shutdown waits for the current fragment, seconds."""

    # Live watching over WebRTC.
    max_live_viewers: Annotated[int, Field(ge=0, le=1000)] = 32
    """Maximum number of viewers over WebRTC, of all sessions together; one more gets 503, and
    watches the film. One client of another machine may have half of them. 0: WebRTC is off."""
    live_max_kbps: Annotated[int, Field(ge=100, le=20_000)] = 2500
    """Maximum bit rate of live pictures, kbit/s: for pictures that move a lot; a face at rest needs
    a fraction of it."""
    live_min_kbps: Annotated[int, Field(ge=100, le=20_000)] = 300
    """Bit rate of the small pictures that viewers on slow networks get, kbit/s. Others get at least
    twice as much."""
    ice_servers: str | None = None
    """STUN and TURN servers, in a list of addresses such as `stun:stun.example:3478` and
    `turn:turn.example:3478?transport=udp`; viewers behind firewalls need a TURN server. None: only
    direct paths. docs/deployment.md."""
    turn_secret: Annotated[SecretStr | None, Field(validate_default=True)] = None
    """Secret that the TURN servers share with this one (coturn: `static-auth-secret`), from which
    each viewer gets credentials of its own; required if `ice_servers` has a TURN server. Set
    it in the environment, where other users of the machine cannot read it."""
    turn_ttl_s: Annotated[int, Field(ge=60, le=10_000_000)] = 86_400
    """Time for which these credentials are valid, seconds: the longest time that a viewer watches
    through a TURN server."""

    # Paths and network.
    results_dir: Path = Path("results")
    """Folder of the avatars and sessions."""
    host: str = "127.0.0.1"
    """Address to listen on, or a list of them; 0.0.0.0 opens the server to the network, and :: over
    IPv6 as well; `unix:/path/of.sock` is a unix socket."""
    socket_mode: Annotated[str, Field(pattern=MODE_PATTERN)] = "660"
    """Permissions of that unix socket, in octal digits."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    """Port to listen on."""
    allowed_hosts: str | None = None
    """Further host names by which clients may reach the server, in a list: names, addresses,
    `.example.com` with all subdomains, or `*` for every name. Its own names and addresses are
    always allowed."""
    allowed_origins: str | None = None
    """Origins of other pages that may read answers and change state, in a list, such as
    `https://www.example.com`; `*`: every page."""
    frame_ancestors: str = "self"
    """Pages that may show this server's page in a frame: `self`, `none`, `*`, or a list of
    origins."""
    public_url: str | None = None
    """Address by which clients reach this server, such as `https://talk.example`, for absolute
    addresses in answers. None: the host of the request."""
    fetch_urls: bool = False
    """Fetch files from the addresses that requests name, such as `audio_url`. Only public http and
    https addresses are fetched."""
    fetch_allowed_networks: str | None = None
    """Hosts and networks that files may be fetched from and webhooks sent to although they are not
    public; a list of names, addresses, and networks such as `10.0.0.0/8`."""
    webhooks: Literal["off", "public", "any"] = "off"
    """Report the end of a job to the address that its request names as `webhook`. public: to https
    addresses of the internet, and to those in `fetch_allowed_networks`. any: to every http and
    https address, including private networks."""
    webhook_secret: SecretStr | None = None
    """Secret with which webhooks are signed, 16 bytes or more: docs/did.md. None: they are not
    signed."""
    livekit_worker: Path | None = None
    """The program that joins rooms of LiveKit with a face, or the virtual environment in which
    integrations/livekit is installed: docs/voice-agents.md. None: no rooms are joined."""
    livekit_servers: str = "public"
    """LiveKit servers whose rooms may be joined, in a list: names, addresses, networks such as
    `10.0.0.0/8`, and `public` for all hosts of the internet."""
    max_rooms: Annotated[int, Field(ge=0, le=1000)] = 8
    """Maximum number of faces in rooms at once; each has a process."""
    push_urls: str | None = None
    """Hosts that the live feed may be pushed to, in a list: names, addresses, networks such as
    `10.0.0.0/8`, and `public` for all hosts of the internet. None: there are no pushes:
    docs/pushes.md."""
    max_pushes: Annotated[int, Field(ge=0, le=1000)] = 8
    """Maximum number of pushes at once, of all sessions together."""
    trusted_proxies: str | None = None
    """Proxies whose `X-Forwarded-…` and `Forwarded` headers are trusted, in a list: addresses,
    networks such as `10.0.0.0/8`, `unix` for those that connect to a unix socket."""
    api_keys: SecretStr | None = None
    """Keys that requests need: the path of a file made by `python -m warm keys add`, or, in the
    environment, keys as NAME:SCOPES:KEY. None: `keys.json` in `results_dir`, if it exists, else no
    request needs a key: docs/security.md."""
    insecure: bool = False
    """Start without keys even if other machines can reach `host`: everybody who reaches it can then
    do everything."""
    path_prefix: str | None = None
    """Path below which a proxy serves this server, such as `/talk`; the proxy may or may not remove
    it from its requests."""

    # One of several heads.
    head: Annotated[str | None, Field(pattern=ID_PATTERN.pattern)] = None
    """Name of this server if several share `results_dir`: docs/scaling.md. None: no other server
    uses the folder."""
    head_url: str | None = None
    """Address at which other heads reach this one, such as `http://10.0.0.5:8000`. None: derived
    from `host` and `port`."""
    head_dir: Path | None = None
    """Folder of the data of this head alone: its jobs, conversations and uploads. None:
    `results_dir/heads/NAME`."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        *_sources: PydanticBaseSettingsSource,
        **named: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use the arguments only."""
        return (named["init_settings"],)

    @field_validator(
        *("host", "allowed_hosts", "allowed_origins", "frame_ancestors", "trusted_proxies"),
        *("tts_voices", "tts_languages", "fetch_allowed_networks", "push_urls", "ice_servers"),
        "livekit_servers",
        mode="before",
    )
    @classmethod
    def _join_list(cls, value: object) -> object:
        return joined(value)

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, value: str | None) -> str | None:
        check_hosts(value)
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _check_origins(cls, value: str | None) -> str | None:
        check_origins(value)
        return value

    @field_validator("frame_ancestors")
    @classmethod
    def _check_frame_ancestors(cls, value: str) -> str:
        check_frame_ancestors(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        check_public_url(value)
        return value

    @field_validator("fetch_allowed_networks")
    @classmethod
    def _check_fetch_networks(cls, value: str | None) -> str | None:
        check_networks(value, has_public=False)
        return value

    @field_validator("push_urls", "livekit_servers")
    @classmethod
    def _check_networks(cls, value: str | None) -> str | None:
        check_networks(value, has_public=True)
        return value

    @field_validator("ice_servers")
    @classmethod
    def _check_ice_servers(cls, value: str | None) -> str | None:
        check_ice_servers(value)
        return value

    @field_validator("turn_secret")
    @classmethod
    def _check_turn_secret(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if not value or not value.get_secret_value():
            require_no_turn_server(info.data.get("ice_servers"))
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: str | None) -> str | None:
        check_proxies(value)
        return value

    @field_validator("path_prefix")
    @classmethod
    def _check_prefix(cls, value: str | None) -> str | None:
        check_prefix(value)
        return value

    @field_validator("ray_address")
    @classmethod
    def _check_ray_address(cls, value: str) -> str:
        check_ray_address(value)
        return value

    @field_validator("head_url")
    @classmethod
    def _check_head_url(cls, value: str | None) -> str | None:
        return checked_head_url(value)

    @field_validator("models_endpoint")
    @classmethod
    def _check_endpoint(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must be a web address; allowed: http://… or https://…")
        return value

    @field_validator("tts_url")
    @classmethod
    def _check_tts_url(cls, value: str | None) -> str | None:
        if value:
            check_url(value)
        return value or None

    @field_validator("chat_url")
    @classmethod
    def _check_chat_url(cls, value: str | None) -> str | None:
        if value:
            check_chat_url(value)
        return value or None

    @field_validator("transcriber")
    @classmethod
    def _check_transcriber(cls, value: str) -> str:
        check_transcriber(value)
        return value

    @field_validator("tts_key", "chat_key", "stt_key")
    @classmethod
    def _check_key(cls, value: SecretStr | None) -> SecretStr | None:
        return SecretStr(checked_key(value.get_secret_value())) if value else None

    @field_validator("tts_languages")
    @classmethod
    def _check_tts_languages(cls, value: str | None) -> str | None:
        check_languages(value)
        return value

    @field_validator("coqui_voices")
    @classmethod
    def _check_coqui_voices(cls, value: dict[Any, Any] | None) -> dict[Any, Any] | None:
        check_models(value)
        return value

    @field_validator("background")
    @classmethod
    def _check_background(cls, value: str | None) -> str | None:
        check_background(value)
        return value

    @field_validator("fps")
    @classmethod
    def _check_fps(cls, value: int) -> int:
        if SAMPLE_RATE_HZ % value:
            allowed = [rate for rate in range(10, 61) if SAMPLE_RATE_HZ % rate == 0]
            raise ValueError(f"must divide {SAMPLE_RATE_HZ}; allowed: {allowed}")
        return value

    @property
    def lip_engine(self) -> str:
        """Name of the engine whose data avatars contain; for `remote`, the engine in the actors.

        A user-defined engine uses the avatars of the embedded engine.
        """
        if self.engine != "remote":
            return self.engine
        return self.remote_engine if self.remote_engine in ENGINES else "viseme"

    @property
    def track(self) -> TrackSettings:
        """Settings of the stabilizers as one object."""
        track: TrackSettings = track_settings(self)
        return track

    @property
    def preparation_settings(self) -> PreparationSettings:
        """Settings of an avatar's preparation."""
        return PreparationSettings(
            fps=self.fps,
            max_side=self.max_side,
            max_s=self.max_s,
            bbox_shift=self.bbox_shift,
            teeth=self.teeth,
            background=self.background,
            engine=self.lip_engine,
            track=self.track,
        )

    @property
    def face_models_folder(self) -> Path:
        """Folder of the face models; it need not exist."""
        return self.models_dir / "face" if self.face_models_dir is None else self.face_models_dir

    @property
    def voices_folder(self) -> Path:
        """Folder of voices in files; it need not exist."""
        return self.models_dir / "voices" if self.voices_dir is None else self.voices_dir

    @property
    def own_dir(self) -> Path:
        """Folder of the data of this server alone; the results folder if there are no heads."""
        if self.head is None:
            return self.results_dir
        return self.head_dir or self.results_dir / "heads" / self.head

    @property
    def http_threads(self) -> int:
        """HTTP threads: one per watcher and per waiting or speaking request, and a few more."""
        return self.max_watchers + self.max_queue + self.most_speaking + 8

    @property
    def most_speaking(self) -> int:
        """Maximum number of clips that are rendered at once at any time."""
        return AUTO_SPEAKING if self.max_speaking == "auto" else self.max_speaking


def allowed(name: str) -> str:
    """The allowed values of a setting in words; literal values between backticks."""
    return in_words(Settings.model_json_schema()["properties"][name])


def in_words(schema: dict[str, Any]) -> str:
    """The allowed values of a JSON schema in words."""
    if "anyOf" in schema:
        return " or ".join(in_words(part) for part in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if "minimum" in schema or "exclusiveMinimum" in schema:
        lowest = schema.get("minimum", f"over {schema.get('exclusiveMinimum')}")
        return f"{lowest} to {schema['maximum']}"
    if "pattern" in schema:
        return PATTERNS[schema["pattern"]]
    kinds = {"boolean": "`true`, `false`", "null": "none", "string": "text", "object": "a mapping"}
    return "a path" if schema.get("format") == "path" else kinds[schema["type"]]
