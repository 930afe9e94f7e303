"""Options of webhooks, from the settings."""

from urllib.parse import urlsplit

from warm.fetch.addresses import AllowedNetworks
from warm.fetch.checked_http import CheckedHttp
from warm.settings import BadSettings, Settings
from warm.settings.network import read_address
from warm.webhooks.signature import BadSecret, key_of
from warm.webhooks.webhooks import WebhookOptions

EVERYWHERE = "0.0.0.0/0, ::/0"


def webhook_options(settings: Settings) -> WebhookOptions:
    """Return the options; raises BadSettings for a secret that is not usable."""
    secret = settings.webhook_secret
    try:
        key = None if secret is None else key_of(secret.get_secret_value())
    except BadSecret as error:
        raise BadSettings(f"webhook_secret: {error}") from None
    allowed = AllowedNetworks(settings.fetch_allowed_networks)
    return WebhookOptions(
        policy=settings.webhooks, may_be_plain=lambda url: is_listed(url, allowed), key=key
    )


def webhook_poster(settings: Settings) -> CheckedHttp:
    """Return the client that sends messages, to all addresses that the settings allow."""
    return CheckedHttp(
        EVERYWHERE if settings.webhooks == "any" else settings.fetch_allowed_networks
    )


def is_listed(url: str, allowed: AllowedNetworks) -> bool:
    """True if the host of an address is in the list by its name or its address."""
    host = urlsplit(url).hostname or ""
    address = read_address(host)
    return allowed.has_host(host) or (address is not None and allowed.has_address(address))
