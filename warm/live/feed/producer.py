"""Producer of a feed: a thread that makes its pictures and its sound, tick by tick."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Event, Lock
from time import thread_time
from typing import Any

from warm.live.feed.clip_messages import clip_of, frames_of
from warm.live.feed.feed_place import FeedPlace
from warm.live.feed.film_reading import FilmReading
from warm.live.feed.h264 import DEFAULT_BPS, LiveVideoEncoder
from warm.live.feed.opus import OpusEncoder
from warm.live.feed.played_clip import Caption, PlayedClip
from warm.live.feed.scene import Scene
from warm.live.feed.shot import Shot
from warm.live.feed.sound_line import Packet, SoundLine
from warm.live.feed.subscriber import (
    PACKET_SAMPLES,
    SAMPLE_RATE_HZ,
    EventKind,
    LiveEvent,
    LivePicture,
    LiveSound,
    Wants,
)
from warm.live.feed.ticks import Ticks
from warm.live.feed.timeline import Timeline
from warm.render.compositing import Frame

BEHIND_S = 0.04
"""From this lateness on, most pictures are left out; the sound is not."""
MOST_LEFT_OUT = 4
KEY_FRAME_S = 0.5
"""Least time between two key frames that are asked for."""

Media = LivePicture | LiveSound | LiveEvent


@dataclass(frozen=True, slots=True, eq=False)
class PlannedPicture:
    """A shot and its place on the clock."""

    sample: int
    shot: Shot


@dataclass(slots=True)
class Plan:
    """One tick: what is shown and heard, before it is drawn and encoded."""

    place: FeedPlace
    packet: Packet
    pictures: list[PlannedPicture] = field(default_factory=list)
    events: list[LiveEvent] = field(default_factory=list)


class Producer:
    """Makes the media of one feed. Except `run`, all methods are for any thread."""

    def __init__(
        self, place: FeedPlace, *, ticks: Ticks, deliver: Callable[[list[Media]], None]
    ) -> None:
        """`deliver` is called by the thread of `run`: in each tick with the sound, then with the
        pictures, if there are any."""
        self.wants = Wants()
        self.bps = DEFAULT_BPS
        self.ticks_done = 0
        self.cpu_s = 0.0
        """Processor time of its thread."""
        self._place, self._ticks, self._deliver = place, ticks, deliver
        self._lock = Lock()
        """Guards the timeline, the sound line and the place."""
        self._events: list[LiveEvent] = []
        self._line = SoundLine()
        self._timeline = self._timeline_of(place, max(place.position, place.committed))
        self._begin_in_film(place)
        self._is_key_wanted = False
        self._stopping = Event()
        self._next_picture = 0
        """Sample of the clock at which the next picture is shown."""
        self._picture_number = 0
        self._left_out = 0
        """Pictures that were left out since the last one that was drawn."""
        self.left_out_pictures = 0
        """All of them, for `/stats`."""
        self._film = FilmReading(self._lock, self._stopping)
        self._scene = Scene(place.avatar, place.fps)
        self._video: LiveVideoEncoder | None = None
        self._audio: OpusEncoder | None = None
        self._last_key: int | None = None

    @property
    def place(self) -> FeedPlace:
        """What it shows."""
        return self._place

    @property
    def epoch(self) -> int:
        """Number of interruptions."""
        return self._timeline.epoch

    def request_key_frame(self) -> None:
        """Have a picture encoded as a key frame soon."""
        self._is_key_wanted = True

    def stop(self) -> None:
        """End `run` after the tick."""
        self._stopping.set()

    def show(self, place: FeedPlace) -> None:
        """Change the avatar if it is another one."""
        with self._lock:
            if place.avatar_key == self._place.avatar_key and place.fps == self._place.fps:
                return
            self._place = place
            self._timeline = self._timeline_of(place, place.committed, self._timeline)
            width, height = place.avatar.size
            self._note("format", {"width": width, "height": height, "fps": place.fps})

    def take(self, header: Mapping[str, Any], payload: memoryview) -> None:
        """Take a message of the worker about a clip."""
        with self._lock:
            if header["epoch"] < self._timeline.epoch:
                return
            self._clear(header["epoch"])  # the message may overtake the interruption itself
            if header["kind"] == "begin":
                self._timeline.begin(clip_of(header))
            elif header["kind"] == "add":
                frames = frames_of(header, payload)
                self._timeline.add(header["clip"], header["first_frame"], frames)
            elif header["kind"] == "sentence":
                named = {name: header[name] for name in ("text", "first_frame", "frames")}
                self._timeline.caption(header["clip"], Caption(**named))
            elif header["kind"] == "end":
                end_frame, was_cut = header["end_frame"], header["was_cut"]
                self._timeline.end(header["clip"], end_frame, was_cut=was_cut)

    def clear(self, epoch: int, *, is_reset: bool) -> int | None:
        """Fade the sound, close the mouth and drop what is queued; return the film's position."""
        with self._lock:
            self._clear(epoch)
            position = self._timeline.cleared
            if is_reset:
                self._timeline.cleared = None
            return position

    def _clear(self, epoch: int) -> None:
        if epoch > self._timeline.epoch:
            self._line.replace(self._timeline.faded(self._line.remaining()))
            self._timeline.clear(epoch)

    def state(self) -> dict[str, Any]:
        """Numbers for `/stats`."""
        with self._lock:
            counts, timeline = self._timeline.counts, self._timeline
            speaking = timeline.speaking
            return {
                "avatar": self._place.avatar.id,
                "fps": self._place.fps,
                "speaking": speaking is not None,
                "queued_frames": timeline.queued,
                "late_frames": counts.late,
                "lost_frames": counts.lost,
                "starved_frames": counts.starved,
                "left_out_pictures": self.left_out_pictures,
                "frames_from_film": counts.from_film,
                "stalls": counts.stalls,
                "interruptions": counts.clears,
                "cpu_s": round(self.cpu_s, 3),
                "seconds": self.ticks_done * PACKET_SAMPLES / SAMPLE_RATE_HZ,
            }

    def run(self) -> None:
        """Produce until `stop`."""
        for _ in self.steps():
            if self._stopping.is_set():
                return

    def steps(self) -> Iterator[None]:
        """Produce one tick after the other, each when it is due."""
        tick = 0
        while True:
            skipped = self._ticks.wait(tick)
            if skipped:
                tick += skipped
                self._skip_to(tick * PACKET_SAMPLES)
            is_behind = self._ticks.lateness_s(tick) > BEHIND_S
            plan = self._plan((tick + 1) * PACKET_SAMPLES)
            self._deliver(self._heard(plan))
            self._deliver(self._seen(plan, is_behind=is_behind))
            tick += 1
            self.ticks_done, self.cpu_s = tick, thread_time()
            yield

    def _timeline_of(
        self, place: FeedPlace, cursor: int, before: Timeline | None = None
    ) -> Timeline:
        timeline = Timeline(
            place.avatar.shown_at,
            place.fps,
            cursor=cursor,
            avatar_key=place.avatar_key,
            note=self._note,
        )
        if before is not None:
            timeline.continue_from(before)
        return timeline

    def _begin_in_film(self, place: FeedPlace) -> None:
        """Play the part of the film that a viewer who has always watched has not seen yet."""
        if place.position < place.committed:
            self._timeline.begin(
                PlayedClip(
                    number=None,
                    utterance="",
                    avatar_key=place.avatar_key,
                    first_frame=place.position,
                    next_frame=place.position,
                    film_until=place.committed,
                    end_frame=place.committed,
                    path=place.path,
                )
            )

    def _note(self, kind: EventKind, data: dict[str, Any]) -> None:
        time_s = self._ticks.time_s(self._line.start)
        self._events.append(LiveEvent(kind=kind, data=data, time_s=time_s))

    def _skip_to(self, sample: int) -> None:
        """Go on at a later sample of the clock, after a stall."""
        with self._lock:
            length = self._timeline.samples_per_picture
            skipped = max(0, -(-(sample - self._next_picture) // length))
            self._next_picture += skipped * length
            self._picture_number += skipped
            self._line.skip_to(sample)
            self._timeline.skip(skipped)

    def _plan(self, end: int) -> Plan:
        """Plan the pictures and the packet that begin before sample `end`."""
        with self._lock:
            pictures = []
            while self._next_picture < end:
                pictures.append(PlannedPicture(self._next_picture, self._next_shot()))
            self._line.rest(end)
            self._film.start_if_needed(self._timeline, self._place.fps)
            plan = Plan(self._place, self._line.take(), pictures, self._events)
            self._events = []
            return plan

    def _next_shot(self) -> Shot:
        at, length = self._next_picture, self._timeline.samples_per_picture
        self._line.rest(at)
        shot = self._timeline.next_shot()
        if shot.samples is not None:
            overlap = self._line.end - at
            position = None if shot.position is None else shot.position + overlap
            self._line.say(shot.samples[overlap:], shot.utterance, position)
        self._next_picture = at + length
        self._line.rest(self._next_picture)
        return shot

    def _heard(self, plan: Plan) -> list[Media]:
        """Encode the sound. It does not wait for the pictures: viewers delay everything by as much
        as packets of sound are irregular."""
        wants = self.wants
        if wants.packets or wants.pcm:
            return [*plan.events, self._sound(plan.packet, is_encoded=wants.packets)]
        return [*plan.events]

    def _seen(self, plan: Plan, *, is_behind: bool) -> list[Media]:
        """Draw and encode the pictures that are wanted.

        `is_behind`: most pictures are left out, so that the feed catches up before it stalls.
        """
        wants, scene = self.wants, self._scene_for(plan.place)
        media: list[Media] = []
        for planned in plan.pictures:
            self._picture_number += 1
            is_wanted = wants.packets or wants.pictures
            if is_wanted and is_behind and self._left_out < MOST_LEFT_OUT:
                self._left_out += 1
                self.left_out_pictures += 1
                scene.pass_over(planned.shot)
            elif is_wanted:
                self._left_out = 0
                media.append(self._picture(planned, scene, is_encoded=wants.packets))
            else:
                scene.pass_over(planned.shot)
        if not wants.packets:
            self._video = self._audio = None
        return media

    def _sound(self, packet: Packet, *, is_encoded: bool) -> LiveSound:
        opus = None
        if is_encoded:
            self._audio = self._audio or OpusEncoder()
            opus = self._audio.encode(packet.samples, is_silent=packet.is_silent)
        return LiveSound(
            sample=packet.sample,
            time_s=self._ticks.time_s(packet.sample),
            opus=opus,
            pcm=packet.samples,
            utterance=packet.utterance,
            position=packet.position,
            offset=packet.offset,
            epoch=self._timeline.epoch,
        )

    def _picture(self, planned: PlannedPicture, scene: Scene, *, is_encoded: bool) -> LivePicture:
        shot = planned.shot
        drawn = scene.draw(shot)
        packet, is_key = self._encoded(drawn, planned.sample) if is_encoded else (None, False)
        return LivePicture(
            tick=self._picture_number,
            time_s=self._ticks.time_s(planned.sample),
            sample=planned.sample,
            packet=packet,
            is_key=is_key,
            bgr=drawn,
            frame=shot.frame,
            utterance=shot.utterance,
            position=shot.position,
            epoch=shot.epoch,
            is_repeated=shot.is_repeated,
        )

    def _scene_for(self, place: FeedPlace) -> Scene:
        if self._scene.avatar is not place.avatar or self._scene.fps != place.fps:
            self._scene, self._video = Scene(place.avatar, place.fps), None
        return self._scene

    def _encoded(self, picture: Frame, sample: int) -> tuple[bytes, bool]:
        video = self._video = self._video or LiveVideoEncoder(self._scene.fps, self.bps)
        video.set_bitrate(self.bps)
        is_due = self._last_key is None or sample - self._last_key >= KEY_FRAME_S * SAMPLE_RATE_HZ
        is_asked = self._is_key_wanted and is_due
        if is_asked:
            self._is_key_wanted = False
        packet, is_key = video.encode(picture, is_key=is_asked)
        if is_key:
            self._last_key = sample
        return packet, is_key
