"""Sound files with an odd structure: what FFmpeg can decode is used, with a note."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.warm.media.sample_sounds import (
    RATE_HZ,
    decode,
    ffmpeg,
    join,
    piped_tone,
    runs,
    tone,
)
from warm.media.audio import examine_audio
from warm.media.audio_decoder import AudioDecoder, NoAudioError
from warm.media.sniff import DamagedMediaError, UnknownMediaError

OPUS = ("-c:a", "libopus", "-ar", 48_000)
VORBIS = ("-c:a", "libvorbis")
MP3 = ("-c:a", "libmp3lame")
HZ_A, HZ_B, HZ_C = 440, 660, 880


def seconds(path: Path) -> float:
    return len(decode(path)[0]) / RATE_HZ


def wav(riff: int, data: int, *, block: int = 2, name: bytes = b"RIFF") -> bytes:
    """Return the header of a WAV at 22,050 Hz, mono, with these sizes."""
    format = struct.pack("<HHIIHH", 1, block // 2, 22_050, 22_050 * block, block, 16)
    head = name + struct.pack("<I", riff) + b"WAVEfmt " + struct.pack("<I", 16) + format
    return head + b"data" + struct.pack("<I", data)


def samples(duration_s: float, hz: int = HZ_A) -> bytes:
    times = np.arange(round(22_050 * duration_s)) / 22_050
    return (16_000 * np.sin(2 * np.pi * hz * times)).astype("<i2").tobytes()


PLACEHOLDERS = [
    (0, 0),
    (0xFFFFFFFF, 0xFFFFFFFF),
    (0x7FFFF024, 0x7FFFF000),
    (0x7FFFFFFF, 0x7FFFFFFF - 36),
    (0x80000024, 0x80000000),
    (2_000_000_036, 2_000_000_000),
    (1_000_000_036, 1_000_000_000),
    (0xFFFFFFFF, 0xFFFFFFFF - 36),
    (0xFFFFFFFE, 0xFFFFFFDA),
    (0x3FFFFFFF, 0x3FFFFFFF - 44),
    (36, 0x100000),
    (36 + 44_100, 0x100000),
    (0, 44_100 * 9),
]


@pytest.mark.parametrize(("riff", "data"), PLACEHOLDERS)
def test_a_wav_with_a_placeholder_for_its_length_is_read_to_its_end(
    riff: int, data: int, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(wav(riff, data) + samples(1.0))
    found, notes = decode(tmp_path / "a.wav")
    assert len(found) == pytest.approx(RATE_HZ, abs=20) and runs(found) == [HZ_A]
    is_usual = data in {0, 0xFFFFFFFF}
    assert len(notes) == (0 if is_usual else 1)
    assert all("is a placeholder; the sound was read to the end" in note for note in notes)


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("wav", ()),
        ("wav", ("-rf64", "always")),
        ("w64", ()),
        ("aiff", ()),
        ("au", ()),
        ("caf", ()),
        ("flac", ()),
        ("mp3", MP3),
        ("adts", ()),
        ("ogg", VORBIS),
        ("webm", OPUS),
        ("mp4", ("-movflags", "frag_keyframe+empty_moov")),
    ],
)
def test_a_file_that_was_written_into_a_pipe_is_read_to_its_end(
    format: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    path = piped_tone(tmp_path / "a", *options, "-f", format)
    found, notes = decode(path)
    assert len(found) / RATE_HZ == pytest.approx(1.5, abs=0.06) and runs(found) == [HZ_A]
    assert len(notes) <= 1


def test_an_rf64_with_sizes_of_minus_one_is_read_to_its_end(tmp_path: Path) -> None:
    content = bytearray(tone(tmp_path / "a.wav", "-rf64", "always").read_bytes())
    at = content.index(b"ds64") + 8
    content[at : at + 24] = b"\xff" * 24
    (tmp_path / "b.wav").write_bytes(content)
    found, notes = decode(tmp_path / "b.wav")
    assert len(found) == pytest.approx(1.5 * RATE_HZ, abs=20) and not notes


@pytest.mark.parametrize(("missing", "is_used"), [(0.02, True), (0.15, True), (0.3, False)])
@pytest.mark.parametrize(
    ("suffix", "options"), [("wav", ()), ("aiff", ()), ("w64", ()), ("flac", ()), ("mp3", MP3)]
)
def test_a_file_that_was_cut_off_is_used_with_a_note_unless_much_is_missing(
    suffix: str, options: tuple[str, ...], missing: float, is_used: bool, tmp_path: Path
) -> None:
    whole = tone(tmp_path / f"a.{suffix}", *options, seconds=5).read_bytes()
    path = tmp_path / f"b.{suffix}"
    path.write_bytes(whole[: round(len(whole) * (1 - missing))])
    if is_used:
        found, notes = decode(path)
        assert len(found) / RATE_HZ == pytest.approx(5 * (1 - missing), abs=0.15)
        assert any("earlier than the file announces" in note for note in notes) or missing < 0.03
    else:
        with pytest.raises(DamagedMediaError, match=r"at 3\.\d\d s \(1\.\d\d s of 5\.\d\d s are"):
            decode(path)


@pytest.mark.parametrize("codec", [("-c:a", "libopus"), VORBIS, ("-c:a", "flac")])
def test_an_ogg_without_end_mark_is_used_with_a_note(
    codec: tuple[str, ...], tmp_path: Path
) -> None:
    path = tone(tmp_path / "a.ogg", *codec, rate_hz=48_000)
    expected, no_notes = decode(path)
    assert not no_notes
    content = bytearray(path.read_bytes())
    content[content.rindex(b"OggS") + 5] &= ~4
    path.write_bytes(content)
    # FFmpeg does not decode a page with a wrong checksum.
    page = content[(last := content.rindex(b"OggS")) :]
    page[22:26] = bytes(4)
    path.write_bytes(content[:last] + page[:22] + ogg_checksum(page) + page[26:])
    found, (note,) = decode(path)
    assert len(found) >= len(expected) - 0.05 * RATE_HZ
    assert "ends without the mark of its last page" in note


def ogg_checksum(page: bytes) -> bytes:
    """RFC 3533: CRC-32 with the polynomial 0x04c11db7, not reflected."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return struct.pack("<I", crc)


def test_an_ogg_that_was_cut_within_a_page_is_used_with_a_note(tmp_path: Path) -> None:
    whole = tone(tmp_path / "a.ogg", *OPUS, seconds=4).read_bytes()
    (tmp_path / "b.ogg").write_bytes(whole[:-700])
    found, (note,) = decode(tmp_path / "b.ogg")
    assert 2.5 < len(found) / RATE_HZ < 4 and "was cut off within its last page" in note


@pytest.mark.parametrize(
    ("first", "second"),
    [(OPUS, OPUS), (VORBIS, (*VORBIS, "-ar", 22_050)), (VORBIS, OPUS), (OPUS, ("-c:a", "flac"))],
)
def test_every_link_of_a_chained_ogg_is_read(
    first: tuple[object, ...], second: tuple[object, ...], tmp_path: Path
) -> None:
    one = tone(tmp_path / "a.ogg", *first, hz=HZ_A)
    two = tone(tmp_path / "b.ogg", *second, hz=HZ_B)
    found, _ = decode(join(tmp_path / "c.ogg", one, two, one))
    assert len(found) / RATE_HZ == pytest.approx(4.5, abs=0.1)
    assert runs(found) == [HZ_A, HZ_B, HZ_A]


@pytest.mark.parametrize(
    ("suffix", "options"), [("mp3", MP3), ("wav", ()), ("aac", ()), ("mp2", ()), ("flac", ())]
)
def test_files_that_were_joined_by_cat_are_read_to_the_end(
    suffix: str, options: tuple[object, ...], tmp_path: Path
) -> None:
    title = ("-metadata", "title=Info Xing", "-write_id3v1", 1) if suffix == "mp3" else ()
    parts = [
        tone(tmp_path / f"{hz}.{suffix}", *options, *title, hz=hz) for hz in (HZ_A, HZ_B, HZ_C)
    ]
    found, _ = decode(join(tmp_path / f"all.{suffix}", *parts))
    assert len(found) / RATE_HZ == pytest.approx(4.5, abs=0.2)
    assert runs(found) == [HZ_A, HZ_B, HZ_C]


def test_joined_wavs_of_unknown_length_are_read_to_the_end(tmp_path: Path) -> None:
    header = wav(0xFFFFFFFF, 0xFFFFFFFF)
    content = header + samples(1, HZ_A) + header + samples(1, HZ_B)
    (tmp_path / "a.wav").write_bytes(content)
    found, _ = decode(tmp_path / "a.wav")
    assert runs(found) == [HZ_A, HZ_B] and np.abs(np.diff(found)).max() < 0.1, "and no click"


@pytest.mark.parametrize("suffix", ["mp3", "aac", "wav"])
def test_a_change_of_rate_and_channels_is_followed_and_noted(suffix: str, tmp_path: Path) -> None:
    codec = MP3 if suffix == "mp3" else ()
    one = tone(tmp_path / f"a.{suffix}", *codec, hz=HZ_A, channels=2)
    two = tone(tmp_path / f"b.{suffix}", *codec, hz=HZ_B, rate_hz=22_050)
    found, notes = decode(join(tmp_path / f"c.{suffix}", one, two))
    assert len(found) / RATE_HZ == pytest.approx(3, abs=0.2)
    assert runs(found) == [HZ_A, HZ_B]
    (note,) = [note for note in notes if "changes its format" in note]
    assert "44100 Hz, 2 channels" in note and "22050 Hz, 1 channel from 1.5" in note


def id3v2(size: int = 300, text: bytes = b"Info Xing VBRI", name: bytes = b"TIT2") -> bytes:
    """Return a tag with a title that is not UTF-8, padded to about `size` bytes."""
    title = b"\x00Stra\xdfe \xff " + text
    frame = name + struct.pack(">IH", len(title), 0) + title
    content = frame.ljust(size, b"\0")
    length = bytes(len(content) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + length + content


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("flac", ()),
        ("aac", ()),
        ("wav", ()),
        ("aiff", ()),
        ("ogg", VORBIS),
        ("mp3", MP3),
        ("mp3", (*MP3, "-write_xing", 0, "-q:a", 5)),
    ],
)
@pytest.mark.parametrize("tags", [id3v2(), id3v2(70_000) + id3v2(100)])
def test_id3_tags_before_and_after_the_sound_change_nothing(
    suffix: str, options: tuple[object, ...], tags: bytes, tmp_path: Path
) -> None:
    plain = (
        tone(tmp_path / f"a.{suffix}", *options, "-id3v2_version", 0)
        if suffix == "mp3"
        else (tone(tmp_path / f"a.{suffix}", *options))
    )
    expected, _ = decode(plain)
    apev2 = b"APETAGEX" + struct.pack("<IIII8x", 2000, 32, 0, 0)
    id3v1 = b"TAG" + b"Stra\xdfe".ljust(125, b" ")
    behind = apev2 + id3v1 if suffix in {"mp3", "aac"} else b""
    (tmp_path / "tagged").write_bytes(tags + plain.read_bytes() + behind)
    found, _ = decode(tmp_path / "tagged")
    assert abs(len(found) - len(expected)) <= 0.1 * RATE_HZ
    assert runs(found) == [HZ_A]


def test_bare_aac_that_begins_with_silence_is_not_taken_for_truncated(tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    tone(source, "-af", "adelay=4000")
    path = tone(tmp_path / "a.aac", "-af", "adelay=4000:all=1", "-b:a", "128k", seconds=3)
    found, notes = decode(path)
    assert len(found) / RATE_HZ == pytest.approx(7, abs=0.1) and not notes


def test_an_mp3_without_length_whose_title_says_info_is_not_taken_for_truncated(
    tmp_path: Path,
) -> None:
    options = (*MP3, "-q:a", 2, "-write_xing", 0, "-af", "adelay=6000:all=1")
    path = tone(tmp_path / "a.mp3", *options, "-metadata", "title=Info Xing", seconds=2)
    found, notes = decode(path)
    assert len(found) / RATE_HZ == pytest.approx(8, abs=0.1) and not notes


@pytest.mark.parametrize(("suffix", "options"), [("mp3", MP3), ("aac", ())])
def test_bytes_that_are_not_sound_in_front_of_the_first_frame_are_skipped(
    suffix: str, options: tuple[object, ...], tmp_path: Path
) -> None:
    path = tone(tmp_path / f"a.{suffix}", *options)
    expected, _ = decode(path)
    junk = b"\xff\xfb\x90 no frame \xff\xf1\xff" + bytes(5000)
    (tmp_path / "b").write_bytes(junk + path.read_bytes() + bytes(3000))
    found, _ = decode(tmp_path / "b")
    assert abs(len(found) - len(expected)) <= 0.1 * RATE_HZ and runs(found) == [HZ_A]


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("wav", ("-c:a", "pcm_mulaw", "-ar", 8000)),
        ("wav", ("-c:a", "pcm_alaw", "-ar", 8000)),
        ("wav", ("-c:a", "adpcm_ima_wav")),
        ("wav", ("-c:a", "adpcm_ms")),
        ("wav", ("-c:a", "pcm_s24le", "-ar", 96_000)),
        ("wav", ("-rf64", "always")),
        ("aiff", ()),
        ("m4a", ("-c:a", "alac")),
        ("mp2", ()),
        ("ac3", ("-ar", 48_000)),
        ("eac3", ("-ar", 48_000)),
        ("mkv", ("-c:a", "ac3", "-ac", 6, "-ar", 48_000)),
        ("amr", ("-ar", 8000)),
        ("wma", ()),
        ("w64", ()),
        ("caf", ()),
        ("au", ()),
        ("wv", ()),
        ("tta", ()),
        ("avi", MP3),
        ("flv", MP3),
        ("ts", ("-c:a", "aac")),
    ],
)
def test_less_common_formats_are_decoded(
    suffix: str, options: tuple[object, ...], tmp_path: Path
) -> None:
    found, notes = decode(tone(tmp_path / f"a.{suffix}", *options))
    assert len(found) / RATE_HZ == pytest.approx(1.5, abs=0.1)
    assert runs(found) == [HZ_A] and not notes


@pytest.mark.parametrize(
    "options",
    [
        ("-ss", 0.7, "-c", "copy"),
        ("-itsoffset", 0.5, "-c", "copy"),
        ("-itsoffset", -0.5, "-c", "copy"),
        ("-c", "copy", "-movflags", "faststart"),
        ("-c", "copy", "-use_editlist", 0),
    ],
)
def test_edit_lists_do_not_look_like_a_truncation(
    options: tuple[object, ...], tmp_path: Path
) -> None:
    source = tone(tmp_path / "a.m4a", "-c:a", "aac", seconds=3)
    before = options[:2] if str(options[0]) in {"-ss", "-itsoffset"} else ()
    ffmpeg(*before, "-i", source, *options[len(before) :], tmp_path / "b.m4a")
    found, notes = decode(tmp_path / "b.m4a")
    assert 2 < len(found) / RATE_HZ < 3.6 and runs(found) == [HZ_A] and not notes


def test_album_art_is_not_taken_for_sound(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc=duration=0.04:size=320x240", tmp_path / "art.png")
    for suffix, codec in (("mp3", "libmp3lame"), ("m4a", "aac"), ("flac", "flac")):
        sound = tone(tmp_path / f"a.{suffix}", "-c:a", codec)
        path = tmp_path / f"b.{suffix}"
        art = ("-map", 0, "-map", 1, "-c", "copy", "-disposition:v", "attached_pic")
        ffmpeg("-i", sound, "-i", tmp_path / "art.png", *art, path)
        found, notes = decode(path)
        assert len(found) / RATE_HZ == pytest.approx(1.5, abs=0.05) and not notes
        assert runs(found) == [HZ_A]


def test_a_packet_that_cannot_be_decoded_is_left_out_with_a_note(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.m4a", "-c:a", "aac", "-movflags", "faststart", seconds=4)
    content = bytearray(path.read_bytes())
    middle = (content.index(b"mdat") + len(content)) // 2
    content[middle : middle + 1000] = b"\xff" * 1000
    path.write_bytes(content)
    found, notes = decode(path)
    assert 3.5 < len(found) / RATE_HZ <= 4.1 and runs(found) == [HZ_A]
    assert any("could not be decoded and are left out" in note for note in notes)


def test_empty_packets_do_not_end_the_sound(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.ogg", *VORBIS, seconds=3)
    expected, _ = decode(path)
    content = path.read_bytes()
    starts = [at for at in range(len(content)) if content.startswith(b"OggS", at)]
    first, second = starts[3], starts[4]
    page = bytearray(content[first:second])
    page[26] += 1
    page[27:27] = b"\0"  # a segment of no bytes
    page[22:26] = bytes(4)
    page[22:26] = ogg_checksum(page)
    path.write_bytes(content[:first] + page + content[second:])
    found, _ = decode(path)
    assert len(found) == len(expected)


def test_text_and_other_files_are_refused_with_the_formats_that_are_read(tmp_path: Path) -> None:
    for content in (b"%PDF-1.7 ...", b"PK\x03\x04" * 99, "Wörter".encode("utf-16"), bytes(5000)):
        (tmp_path / "a.wav").write_bytes(content)
        with pytest.raises((UnknownMediaError, DamagedMediaError)):
            decode(tmp_path / "a.wav")


def test_a_name_with_a_colon_is_not_taken_for_a_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tone(tmp_path / "a.flac").rename(tmp_path / "a:b.flac")
    monkeypatch.chdir(tmp_path)
    decoder = AudioDecoder(Path("a:b.flac"), rate_hz=RATE_HZ)
    assert sum(map(len, decoder.chunks())) == 1.5 * RATE_HZ


def test_sound_after_the_announced_end_of_a_wav_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(36 + 44_100, 44_100) + samples(2.5)[2:])
    found, (note,) = decode(path)
    assert len(found) == pytest.approx(RATE_HZ, abs=20)
    assert note.startswith("1.50 s of data follow the end that the header announces")
    path.write_bytes(wav(36 + 44_100, 44_100) + samples(1) + b"LIST" + bytes(9000))
    assert decode(path)[1] == []
    path.write_bytes(wav(36 + 44_100, 44_100) + samples(1) + bytes(9000))
    assert decode(path)[1] == []


def test_a_tag_with_a_wrong_size_does_not_hide_the_sound(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.mp3", *MP3, "-id3v2_version", 0)
    expected, _ = decode(path)
    for size in (b"\0\0\1\0", b"\0\x7f\x7f\x7f", b"\xff\xff\xff\xff"):
        tag = bytearray(id3v2(600_000))
        tag[6:10] = size
        (tmp_path / "b.mp3").write_bytes(tag + path.read_bytes())
        found, _ = decode(tmp_path / "b.mp3")
        assert abs(len(found) - len(expected)) <= 0.05 * RATE_HZ and runs(found) == [HZ_A]


def test_the_track_that_is_used_is_noted_if_there_are_several(tmp_path: Path) -> None:
    one, two = (tone(tmp_path / f"{hz}.wav", hz=hz) for hz in (HZ_A, HZ_B))
    ffmpeg("-i", one, "-i", two, "-map", 0, "-map", 1, "-c:a", "aac", tmp_path / "a.mkv")
    found, notes = decode(tmp_path / "a.mkv")
    assert runs(found) == [HZ_A]
    assert notes == ["The file has 2 audio tracks; number 1 is used."]


@pytest.mark.parametrize("suffix", ["mkv", "avi", "mp4", "caf", "au"])
def test_half_of_a_file_whose_container_states_its_length_is_refused(
    suffix: str, tmp_path: Path
) -> None:
    options = ("-movflags", "faststart") if suffix == "mp4" else ()
    whole = tone(tmp_path / f"a.{suffix}", *options, seconds=4).read_bytes()
    (tmp_path / "b").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedMediaError, match=r"at [12]\.\d\d s .* are missing"):
        decode(tmp_path / "b")


def test_joined_mp4_files_are_read_to_the_end(tmp_path: Path) -> None:
    parts = [tone(tmp_path / f"{hz}.m4a", hz=hz) for hz in (HZ_A, HZ_B)]
    fragments = tone(tmp_path / "c.m4a", "-movflags", "frag_keyframe+empty_moov", hz=HZ_C)
    found, notes = decode(join(tmp_path / "all.m4a", *parts, fragments))
    assert len(found) / RATE_HZ == pytest.approx(4.5, abs=0.15) and not notes
    assert runs(found) == [HZ_A, HZ_B, HZ_C]


@pytest.mark.parametrize("suffix", ["wav", "ogg", "flac", "m4a"])
def test_a_few_bytes_in_front_of_a_file_are_skipped_with_a_note(
    suffix: str, tmp_path: Path
) -> None:
    path = tone(tmp_path / f"a.{suffix}")
    expected, _ = decode(path)
    (tmp_path / "b").write_bytes(b"\r\n\0" + path.read_bytes())
    found, notes = decode(tmp_path / "b")
    assert abs(len(found) - len(expected)) <= 1 and runs(found) == [HZ_A]
    assert notes == ["3 bytes in front of the sound are skipped."]


def test_an_unknown_codec_is_distinguished_from_a_file_without_audio(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.mkv", "-c:a", "flac")
    path.write_bytes(path.read_bytes().replace(b"A_FLAC", b"A_FLUX"))
    with pytest.raises(NoAudioError, match=r"codec of the audio of .* is unknown"):
        decode(path)


def test_a_name_that_is_not_utf_8_is_read(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.wav").rename(tmp_path / os.fsdecode(b"stra\xdfe.wav"))
    assert examine_audio(path, rate_hz=RATE_HZ, longest_s=9).seconds == pytest.approx(1.5)
