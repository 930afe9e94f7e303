"""Tests of the encoder of a film's parts."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext

from tests.warm.enhance.film_samples import moving_face, write_film
from warm.enhance import part_encoder
from warm.enhance.film_reader import lines_of, open_film

pytestmark = pytest.mark.slow


def test_all_frames_of_a_part_are_nearly_as_good_as_its_first(tmp_path: Path) -> None:
    with open_film(write_film(tmp_path / "film.mp4", moving_face(6, (160, 188)))) as film:
        facts, pictures = film.facts, [frame.planes for frame in film.frames()]
    context: Any = av.CodecContext.create(part_encoder.CODEC, "w")
    part_encoder.set_up(context, facts, pictures[0].size)
    context.open()
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.extradata = context.extradata
    shown = []
    for sample in part_encoder.encode_part(pictures, facts):
        shown += decoder.decode(av.Packet(sample))
    shown += decoder.decode(None)
    errors = [
        float(((lines_of(frame.planes[0]).astype(float) - picture.luma) ** 2).mean())
        for frame, picture in zip(shown, pictures, strict=True)
    ]
    assert max(10 * np.log10(error / 255**2) for error in errors) < -43
    assert abs(context.framerate - facts.fps) < Fraction(1, 100)
