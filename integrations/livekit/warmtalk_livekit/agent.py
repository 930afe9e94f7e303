"""The agent in a room."""

import asyncio

from livekit import rtc

ON_BEHALF = "lk.publish_on_behalf"
"""Attribute of an avatar's token: the identity of its agent."""
ACTIVE = rtc.ParticipantState.PARTICIPANT_STATE_ACTIVE
AGENT = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT


def wanted_agent(room: rtc.Room) -> str | None:
    """Return the identity of the agent that this participant's token names, if it names one."""
    return room.local_participant.attributes.get(ON_BEHALF) or None


async def wait_for_agent(room: rtc.Room, identity: str | None) -> rtc.RemoteParticipant:
    """Return the agent with an identity, or the first agent of all, when it is in the room."""
    found: asyncio.Future[rtc.RemoteParticipant] = asyncio.get_running_loop().create_future()

    def consider(participant: rtc.RemoteParticipant) -> None:
        is_wanted = (
            participant.kind == AGENT if identity is None else participant.identity == identity
        )
        if is_wanted and not found.done():
            found.set_result(participant)

    room.on("participant_active", consider)
    try:
        for participant in room.remote_participants.values():
            if participant.state == ACTIVE:
                consider(participant)
        return await found
    finally:
        room.off("participant_active", consider)
