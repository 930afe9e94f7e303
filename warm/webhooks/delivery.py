"""A delivery: one message to one address, and its attempts."""

from dataclasses import dataclass
from typing import Literal

DeliveryState = Literal["pending", "delivered", "failed"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message to send when a job ends."""

    url: str
    body: bytes
    """JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request to the receiver. Times are seconds since the epoch."""

    number: int
    """Counts from 1."""
    started_s: float
    duration_s: float
    status: int | None
    """Status of the answer; None if there was none."""
    error: str
    """Reason for the failure, in words; empty if the message was acknowledged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message on its way. Times are seconds since the epoch."""

    id: str
    """Sent with every attempt, so that the receiver can recognise a repetition."""
    job_id: str
    owner: str
    url: str
    body: bytes
    state: DeliveryState
    queued_s: float
    next_s: float | None
    """Time of the next attempt; None when there is none."""
    attempts: tuple[Attempt, ...] = ()
