"""A slow client loses pictures first, then sound, and never a text message."""

from warm.live.socket.outbox import Kind, Outbox


class Client:
    """A client whose messages are recorded, with a clock."""

    def __init__(self, *, has_keys: bool = False) -> None:
        self.now_s = 100.0
        self.sent: list[tuple[Kind, bytes]] = []
        self.outbox = Outbox(
            lambda kind, data: self.sent.append((kind, data)),
            lambda: self.now_s,
            has_keys=has_keys,
        )

    def media(self) -> list[bytes]:
        return [data for kind, data in self.sent if kind in {"sound", "picture"}]

    def answer_pings(self) -> None:
        for kind, data in self.sent:
            if kind == "ping":
                self.outbox.lag.pong(data, self.now_s)


def test_a_fast_client_gets_everything_in_order() -> None:
    client = Client()
    client.outbox.put_text(b"hello")
    client.outbox.put_sound(b"s")
    client.outbox.put_picture(b"p", is_key=True)
    client.outbox.put_ping()
    assert [kind for kind, _ in client.sent] == ["text", "sound", "picture", "ping"]


def test_a_client_that_takes_nothing_is_never_more_than_half_a_second_behind() -> None:
    client = Client()
    client.outbox.block()
    for step in range(100):
        client.now_s += 0.02
        client.outbox.put_sound(b"s%d" % step)
        if step % 2:
            client.outbox.put_picture(b"p%d" % step, is_key=True)
    client.outbox.put_text(b"late news")
    client.outbox.unblock()
    sounds = sum(data.startswith(b"s") for data in client.media())
    pictures = sum(data.startswith(b"p") for data in client.media())
    assert sounds + client.outbox.dropped_sounds == 100
    assert pictures + client.outbox.dropped_pictures == 50
    assert sounds <= 26
    assert pictures <= 15
    assert client.sent[-1] == ("text", b"late news")


def test_a_client_that_reads_late_is_found_by_its_pings_although_the_system_takes_everything() -> (
    None
):
    client = Client()
    client.outbox.put_ping()
    client.now_s += 0.04
    client.answer_pings()
    client.outbox.put_ping()
    client.now_s += 0.32
    client.outbox.put_picture(b"in time", is_key=True)
    client.now_s += 0.1
    client.outbox.put_picture(b"late", is_key=True)
    client.outbox.put_sound(b"sound")
    client.now_s += 0.2
    client.outbox.put_sound(b"late sound")
    assert client.media() == [b"in time", b"sound"]
    client.answer_pings()
    client.outbox.put_picture(b"again", is_key=True)
    client.outbox.put_sound(b"sound again")
    assert client.media()[2:] == [b"again", b"sound again"]
    assert (client.outbox.dropped_pictures, client.outbox.dropped_sounds) == (1, 1)


def test_pictures_that_need_others_go_on_with_a_key_picture() -> None:
    client = Client(has_keys=True)
    client.outbox.put_picture(b"0", is_key=False)
    assert client.outbox.needs_key
    client.outbox.put_picture(b"1 key", is_key=True)
    client.outbox.put_picture(b"2", is_key=False)
    client.outbox.put_ping()
    client.now_s += 1
    client.outbox.put_picture(b"3", is_key=False)
    client.answer_pings()
    client.outbox.put_picture(b"4", is_key=False)
    assert client.outbox.needs_key
    client.outbox.put_picture(b"5 key", is_key=True)
    client.outbox.put_picture(b"6", is_key=False)
    assert client.media() == [b"1 key", b"2", b"5 key", b"6"]
    assert client.outbox.dropped_pictures == 2


def test_nothing_is_measured_while_answers_are_not_read() -> None:
    client = Client()
    client.outbox.put_ping()
    client.outbox.lag.suspend()
    client.now_s += 60
    client.outbox.put_ping()
    client.outbox.put_picture(b"p", is_key=True)
    assert [kind for kind, _ in client.sent] == ["ping", "picture"]


def test_a_client_that_takes_no_text_is_noticed() -> None:
    client = Client()
    client.outbox.block()
    for _ in range(3000):
        client.outbox.put_text(b"{}")
    assert client.outbox.is_overfull
