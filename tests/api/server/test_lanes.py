"""Probes and interruptions have threads of their own, also below the path of a proxy."""

import pytest

from api.server.lanes import Lanes


@pytest.mark.parametrize("prefix", ["", "/talk", "/a/b"])
def test_probes_interruptions_and_films_have_their_lanes_below_any_prefix(prefix: str) -> None:
    lanes = Lanes(2)
    probes, interrupts = lanes.of(f"{prefix}/health"), lanes.of(f"{prefix}/interrupt")
    films, main = lanes.of(f"{prefix}/session/full_session.mp4"), lanes.of(f"{prefix}/speak")
    assert probes.is_reserved and interrupts.is_reserved
    assert not main.is_reserved and not films.is_reserved
    assert len({id(lane) for lane in (probes, interrupts, films, main)}) == 4
    assert lanes.of(f"{prefix}/livez") is probes
    heads = lanes.of(f"{prefix}/heads/release")
    assert heads.is_reserved and lanes.of(f"{prefix}/heads/own") is heads
    assert lanes.of(f"{prefix}/heads/jobs") is lanes.of(f"{prefix}/heads/uploads") is heads
    assert lanes.of(f"{prefix}/heads/avatars") is heads
    assert lanes.of(f"{prefix}/jobs") is lanes.of(f"{prefix}/uploads") is main
    assert lanes.of(f"{prefix}/heads/drain") is main
    for named in ("sessions/health", "sessions/interrupt", "avatars/livez"):
        assert lanes.of(f"{prefix}/{named}") is main
    for lane in lanes:
        lane.close()


def test_pipelined_probes_take_no_reserved_thread() -> None:
    lanes = Lanes(2)
    assert lanes.of("/health", is_pipelined=True) is lanes.of("/speak")
    for lane in lanes:
        lane.close()
