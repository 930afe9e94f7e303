"""Factory of the language model that the settings name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chat.address import parse_chat_address
from chat.completions import CompletionsModel
from chat.embedded.embedded_model import EmbeddedModel
from chat.embedded.options import EmbeddedOptions
from chat.errors import ChatDisabled
from chat.forwarding import OnContent
from chat.limits import ReplyLimits
from chat.model import ChatMessage, ChatModel, ModelState, Reply, ReplyOptions
from chat.persona import system_text
from chat.personas import BadPersonas, Personas, read_personas
from warm.installation import is_installed, own_command, shipped
from warm.settings import BadSettings, Settings

NO_CHAT = "off"
"""The value of `chat_model` that switches chat off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatBudget:
    """Limits of tokens, and randomness, of the answers of a model."""

    max_tokens: int
    temperature: float | None
    history_tokens: int


EMBEDDED_BUDGET = ChatBudget(max_tokens=80, temperature=0.2, history_tokens=300)
REMOTE_BUDGET = ChatBudget(max_tokens=500, temperature=None, history_tokens=3000)


class NoModel:
    """Takes the place of the model if the settings switch chat off."""

    def reply(self, messages: Sequence[ChatMessage], options: ReplyOptions) -> Reply:  # noqa: ARG002
        """Raise ChatDisabled."""
        raise ChatDisabled(self.state().detail)

    def forward(self, body: Mapping[str, Any], on_content: OnContent) -> Reply:  # noqa: ARG002
        """Raise ChatDisabled."""
        raise ChatDisabled(self.state().detail)

    def models(self) -> list[str]:
        """Return no names."""
        return []

    def state(self) -> ModelState:
        """Return the state of no model."""
        detail = "Chat is switched off. Remove the setting chat_model: off to switch it on."
        return ModelState(name="none", kind="none", is_demo=False, phase="absent", detail=detail)

    def prepare(self) -> None:
        """Do nothing: there is no model."""

    def close(self) -> None:
        """Do nothing: there is no model."""


def configured_chat_model(settings: Settings) -> ChatModel:
    """Return the language model of the settings. Nothing is loaded or contacted yet."""
    if settings.chat_model == NO_CHAT:
        return NoModel()
    if settings.chat_url is None:
        return embedded_model(settings)
    key = settings.chat_key
    return CompletionsModel(
        parse_chat_address(settings.chat_url),
        model=settings.chat_model or "",
        key=None if key is None else key.get_secret_value(),
        limits=reply_limits(settings),
    )


def embedded_model(settings: Settings) -> EmbeddedModel:
    """Return the model on this machine, which reads the first persona when it is loaded."""
    persona = system_text(configured_personas(settings).default)
    return EmbeddedModel(
        settings.models_dir / "chat",
        EmbeddedOptions(
            idle_s=settings.chat_idle_s,
            allow_fetch=settings.chat_fetch,
            fetch_command=own_command("chat", "fetch") if is_installed() else "make chat",
            threads=settings.chat_threads,
        ),
        limits=reply_limits(settings),
        greeting=[ChatMessage("system", persona)],
    )


def configured_personas(settings: Settings) -> Personas:
    """Return the characters of the settings; raises BadSettings."""
    path = settings.persona_file or shipped("configs/persona.yaml")
    try:
        personas = read_personas(path)
    except BadPersonas as error:
        raise BadSettings(f"persona_file: {error}") from error
    chosen = settings.persona
    if chosen is None:
        return personas
    if chosen not in personas.by_id:
        raise BadSettings(
            f"persona = {chosen!r}: is not in {path}; allowed: {', '.join(personas.by_id)}"
        )
    first = {chosen: personas.by_id[chosen]}
    return Personas({**first, **personas.by_id})


def reply_limits(settings: Settings) -> ReplyLimits:
    """Return the limits of each reply."""
    return ReplyLimits(
        first_token_s=settings.chat_first_token_s,
        token_s=settings.chat_token_s,
        reply_s=settings.chat_reply_s,
    )


def chat_budget(settings: Settings) -> ChatBudget:
    """Return the budget of each reply: that of the settings, or the default of the model."""
    default = EMBEDDED_BUDGET if settings.chat_url is None else REMOTE_BUDGET
    return ChatBudget(
        max_tokens=settings.chat_max_tokens or default.max_tokens,
        temperature=default.temperature
        if settings.chat_temperature is None
        else settings.chat_temperature,
        history_tokens=settings.chat_history_tokens or default.history_tokens,
    )
