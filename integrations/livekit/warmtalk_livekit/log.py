"""The log of this package."""

import logging

logger = logging.getLogger("warmtalk.livekit")
