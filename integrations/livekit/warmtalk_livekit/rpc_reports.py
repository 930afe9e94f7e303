"""Reports about segments to an agent in the room, by LiveKit's RPC, each at most once."""

import asyncio
import json
from dataclasses import dataclass

from livekit import rtc

from warmtalk_livekit.log import logger

STARTED, FINISHED = "lk.playback_started", "lk.playback_finished"
ATTEMPTS = 3
PAUSE_S = 0.1
NOT_DELIVERED = {
    rtc.RpcError.ErrorCode.CONNECTION_TIMEOUT,
    rtc.RpcError.ErrorCode.SEND_FAILED,
    rtc.RpcError.ErrorCode.RECIPIENT_NOT_FOUND,
}
"""Failures after which the agent has certainly not seen the report. After any other one a second
attempt might be counted as the end of another segment."""


@dataclass(frozen=True)
class Report:
    """A call of the agent's methods."""

    method: str
    payload: str


class RpcReports:
    """Sends reports in their order. Call `run` in a task."""

    def __init__(self, room: rtc.Room, agent_identity: str) -> None:
        self._room = room
        self._agent = agent_identity
        self._reports: asyncio.Queue[Report] = asyncio.Queue()
        self._unsupported: set[str] = set()

    def on_started(self, name: str) -> None:  # noqa: ARG002 - the agent counts segments
        """Report that a segment is being heard."""
        self._reports.put_nowait(Report(STARTED, ""))

    def on_finished(self, name: str, position_s: float, *, interrupted: bool) -> None:  # noqa: ARG002
        """Report the end of a segment."""
        payload = json.dumps({"playback_position": position_s, "interrupted": interrupted})
        self._reports.put_nowait(Report(FINISHED, payload))

    async def run(self) -> None:
        """Send reports as they come."""
        while True:
            report = await self._reports.get()
            if report.method not in self._unsupported:
                await self._send(report)
            self._reports.task_done()

    async def wait_until_sent(self) -> None:
        """Wait until every report was sent, or has failed."""
        await self._reports.join()

    async def _send(self, report: Report) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._room.local_participant.perform_rpc(
                    destination_identity=self._agent, method=report.method, payload=report.payload
                )
            except rtc.RpcError as error:
                if not self._may_retry(error, report, attempt):
                    return
                await asyncio.sleep(PAUSE_S)
            else:
                return

    def _may_retry(self, error: rtc.RpcError, report: Report, attempt: int) -> bool:
        if error.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD and report.method == STARTED:
            self._unsupported.add(STARTED)  # an agent that does not wait for the start
            return False
        if error.code in NOT_DELIVERED and attempt < ATTEMPTS:
            return True
        logger.error("%s could not be reported to the agent: %s", report.method, error.message)
        return False
