"""Media that wait for a blocked path."""

from warm.live.webrtc.outbox import MAX_PICTURES, MAX_SOUNDS, Medium, Outbox


def medium(kind: str, sample: int) -> Medium:
    return Medium(kind=kind, payloads=[b"x"], sample=sample)


def test_media_come_out_in_their_order() -> None:
    outbox = Outbox()
    for sample in range(3):
        assert outbox.add(medium("video", sample))
        assert outbox.add(medium("audio", sample))
    assert [each.sample for each in outbox.take()] == [0, 0, 1, 1, 2, 2]
    assert len(outbox) == 0


def test_one_picture_too_many_drops_all() -> None:
    outbox = Outbox()
    assert all(outbox.add(medium("video", sample)) for sample in range(MAX_PICTURES))
    assert not outbox.add(medium("video", 99))
    assert (len(outbox), outbox.flushed) == (0, MAX_PICTURES + 1)
    assert all(outbox.add(medium("video", sample)) for sample in range(MAX_PICTURES))


def test_one_packet_of_sound_too_many_drops_all() -> None:
    outbox = Outbox()
    assert all(outbox.add(medium("audio", sample)) for sample in range(MAX_SOUNDS))
    assert not outbox.add(medium("audio", 99))


def test_what_was_taken_makes_room() -> None:
    outbox = Outbox()
    for sample in range(100):
        assert outbox.add(medium("video", sample))
        assert next(outbox.take()).sample == sample
    assert outbox.flushed == 0
