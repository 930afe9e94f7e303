"""Errors of webhooks, one class per cause."""


class WebhookError(ValueError):
    """An address cannot be a webhook; the message is a predicate of the field."""


class WebhooksDisabled(WebhookError):
    """Webhooks are off."""

    def __init__(self) -> None:
        super().__init__(
            "webhooks are off on this server (webhooks); leave it out and ask for the state with "
            "GET, or set webhooks: public"
        )


class BadWebhook(WebhookError):
    """The address is malformed, or its scheme is not allowed."""
