"""An agent of LiveKit with a face: `python agent.py dev`.

Set LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET, OPENAI_API_KEY and WARMTALK_URL. The voice,
the model and the recogniser are LiveKit's plugin for OpenAI (`pip install livekit-plugins-openai`).
"""

import os

from livekit.agents import Agent, AgentSession, JobContext, WorkerOptions, cli
from livekit.plugins import openai
from warmtalk_livekit import AvatarSession


async def entrypoint(ctx: JobContext) -> None:
    """Join the room and greet."""
    await ctx.connect()
    session = AgentSession(stt=openai.STT(), llm=openai.LLM(), tts=openai.TTS())
    avatar = AvatarSession(
        url=os.environ["WARMTALK_URL"], api_key=os.environ.get("WARMTALK_API_KEY")
    )
    await avatar.start(session, ctx.room)
    await session.start(agent=Agent(instructions="Answer in one sentence."), room=ctx.room)
    await session.say("Hello! What can I do for you?")


if __name__ == "__main__":
    cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint))
