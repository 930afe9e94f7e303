"""Messages of webhooks: the talk or clip, as its route shows it."""

import json
from collections.abc import Callable
from typing import Any

from api.did.clips import SURFACE as CLIPS
from api.did.film_json import Absolute, clip_json, talk_json
from api.did.talks import SURFACE as TALKS
from warm.jobs.job import Job
from warm.webhooks.delivery import Message
from warm.webhooks.webhooks import Webhooks


def register_messages(webhooks: Webhooks) -> None:
    """Have the end of talks and clips sent to their webhooks."""
    webhooks.register(TALKS, lambda job: message_of(job, talk_json))
    webhooks.register(CLIPS, lambda job: message_of(job, clip_json))


def message_of(job: Job, json_of: Callable[[Job, Absolute], dict[str, Any]]) -> Message | None:
    """Return the message at the end of a job; None if its request named no webhook."""
    url = job.extra.get("webhook")
    if not url:
        return None
    base_url = job.extra["base_url"]
    content = json_of(job, lambda path: f"{base_url}{path}")
    return Message(url, json.dumps(content, ensure_ascii=False).encode())
