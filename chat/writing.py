"""Processing of the chunks of a reply: passes on the text, keeps the ending and the counts."""

from typing import Literal

from chat.chunks import Chunk
from chat.model import Ending
from chat.reply import Finishing, ReplyFeed, Thought
from chat.thinking import ThoughtFilter


class Writing:
    """Passes the text of chunks to a feed, without thoughts. Owned by the receiving thread."""

    def __init__(self, feed: ReplyFeed, model: str) -> None:
        self.has_text = False
        self.reason: Literal["stop", "length"] | None = None
        """Set once the model has ended its reply."""
        self.detail = ""
        """The server's own name for the reason."""
        self._feed, self._model = feed, model
        self._thoughts = ThoughtFilter()
        self._counted = Chunk()
        """The chunk with the token counts."""

    def add(self, chunk: Chunk) -> None:
        """Pass on the text of a chunk; keep its model, token counts and reason."""
        text = self._thoughts.feed(chunk.text)
        if text:
            self._put(text)
        elif chunk.has_thought or chunk.text:
            self._feed.put(Thought())
        if chunk.prompt_tokens is not None:
            self._counted = chunk
        self._model = chunk.model or self._model
        if chunk.reason is not None and self.reason is None:
            self.reason, self.detail = chunk.reason, chunk.detail
            self.finish()
            if self.has_text:
                self._feed.put(Finishing(self.ending()))

    def finish(self) -> None:
        """Pass on the text that was held back."""
        if rest := self._thoughts.end():
            self._put(rest)

    def ending(self) -> Ending:
        """Return the ending of the reply, whose reason must be known."""
        assert self.reason is not None
        return Ending(
            reason=self.reason,
            model=self._model,
            prompt_tokens=self._counted.prompt_tokens,
            reply_tokens=self._counted.reply_tokens,
        )

    def _put(self, text: str) -> None:
        self.has_text = self.has_text or bool(text.strip())
        self._feed.put(text)
