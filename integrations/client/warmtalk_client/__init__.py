"""Client of Warmtalk's live socket: sound goes in, pictures and the same sound come out."""

from warmtalk_client.address import Address
from warmtalk_client.connection import LiveConnection
from warmtalk_client.errors import ConnectionLost, ServerRefused, WarmtalkError
from warmtalk_client.face import LiveFace
from warmtalk_client.messages import (
    RATES_HZ,
    Caption,
    Finished,
    Hello,
    Lost,
    Message,
    Picture,
    Problem,
    Reconnected,
    Sound,
    Started,
)
from warmtalk_client.sessions import ensure_session, frame_size

__all__ = [
    "RATES_HZ",
    "Address",
    "Caption",
    "ConnectionLost",
    "Finished",
    "Hello",
    "LiveConnection",
    "LiveFace",
    "Lost",
    "Message",
    "Picture",
    "Problem",
    "Reconnected",
    "ServerRefused",
    "Sound",
    "Started",
    "WarmtalkError",
    "ensure_session",
    "frame_size",
]
