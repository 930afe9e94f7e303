"""Speakers of the raw videos, and which of them are used for validation.

Every source is a speaker of its own, unless the configuration joins it with others: by a CSV file,
a pattern, or a network of face recognition. Sources that show the same pictures belong to one
speaker as well.
"""

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from warm.training_data.config import PreprocessConfig
from warm.training_data.errors import BadPreprocessConfig
from warm.training_data.fingerprints import show_the_same
from warm.training_data.source_record import SourceRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Sources of one speaker."""

    name: str
    files: tuple[str, ...]
    why: str
    """Reason for which the files belong together."""
    stems: tuple[str, ...]
    """Clips."""
    is_val: bool = False
    why_val: str = ""


def find_speakers(records: Sequence[SourceRecord], config: PreprocessConfig) -> tuple[Speaker, ...]:
    """Return the speakers that have clips, in order; raises BadPreprocessConfig."""
    with_clips = [record for record in records if record.clips]
    groups = Groups(len(with_clips))
    for name, members, why in joined(with_clips, config):
        groups.join(members, name, why)
    return tuple(
        Speaker(
            name=names[0] if names else with_clips[members[0]].name,
            files=tuple(with_clips[each].file for each in members),
            why="; ".join(why) or "one file",
            stems=tuple(clip["stem"] for each in members for clip in with_clips[each].clips),
        )
        for members, names, why in groups.all()
    )


class Groups:
    """Groups of numbers, which can be joined."""

    def __init__(self, count: int) -> None:
        self._group = list(range(count))
        self._names: list[tuple[int, str, str]] = []

    def join(self, members: Sequence[int], name: str, why: str) -> None:
        """Put members into one group; `name` may be empty."""
        first = min(self._group[each] for each in members)
        old = {self._group[each] for each in members}
        self._group = [first if group in old else group for group in self._group]
        self._names.append((members[0], name, why if len(members) > 1 else ""))

    def all(self) -> Iterator[tuple[list[int], list[str], list[str]]]:
        """Yield the members, names and reasons of each group, in order."""
        for group in dict.fromkeys(self._group):
            said = [(n, why) for at, n, why in self._names if self._group[at] == group]
            yield (
                [index for index, each in enumerate(self._group) if each == group],
                [name for name, _ in said if name],
                list(dict.fromkeys(why for _, why in said if why)),
            )


def joined(
    records: Sequence[SourceRecord], config: PreprocessConfig
) -> Iterator[tuple[str, list[int], str]]:
    """Yield name, members and reason of sources that belong together."""
    for name, members in by_name(records, named_speakers(config)).items():
        yield name, members, f"{config.speakers_file} names the speaker {name}"
    if config.speaker_pattern is not None:
        for name, members in by_name(records, pattern_names(records, config)).items():
            yield name, members, f"speaker_pattern finds {name}"
    for one, first in enumerate(records):
        for other in range(one + 1, len(records)):
            if show_the_same(first.prints, records[other].prints):
                yield "", [one, other], "they show the same pictures"
            elif similarity(first, records[other]) >= config.speaker_similarity:
                yield "", [one, other], "the network of face recognition finds the same face"


def similarity(one: SourceRecord, other: SourceRecord) -> float:
    """Return the cosine of two embeddings; -1 without them."""
    if not one.embedding or len(one.embedding) != len(other.embedding):
        return -1.0
    first, second = np.array(one.embedding), np.array(other.embedding)
    scale = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / scale if scale else -1.0


def by_name(records: Sequence[SourceRecord], names: dict[str, str]) -> dict[str, list[int]]:
    """Return the numbers of the records for each speaker that `names` has for their files."""
    found: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        name = names.get(record.file) or names.get(Path(record.file).name)
        if name:
            found.setdefault(name, []).append(index)
    return found


def named_speakers(config: PreprocessConfig) -> dict[str, str]:
    """Return the speakers of the CSV file by file; raises BadPreprocessConfig."""
    if config.speakers_file is None:
        return {}
    path = config.at(config.speakers_file)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadPreprocessConfig(
            f"speakers_file is {path}, which cannot be read: {error}. Name a CSV file."
        ) from error
    missing = {"file", "speaker"} - set(rows[0] if rows else ())
    if missing:
        raise BadPreprocessConfig(
            f"speakers_file {path} lacks the column {' and '.join(sorted(missing))}. Its first "
            "line must be file,speaker."
        )
    return {row["file"] or "": (row["speaker"] or "").strip() for row in rows}


def pattern_names(records: Sequence[SourceRecord], config: PreprocessConfig) -> dict[str, str]:
    """Return the speaker of each file whose path the pattern matches."""
    pattern = re.compile(config.speaker_pattern or "")
    group: str | int = "speaker" if "speaker" in pattern.groupindex else 1
    matches = ((record.file, pattern.search(record.file)) for record in records)
    return {file: match[group] or "" for file, match in matches if match}


def with_validation(speakers: Sequence[Speaker], config: PreprocessConfig) -> tuple[Speaker, ...]:
    """Choose the speakers for validation.

    As in the reference, a clip is for validation if its name contains a string of
    `val_list_hdtf`, and so is every other clip of its speaker. If no name matches, a share of the
    speakers is taken in the order of the digests of their names, on which other speakers have no
    influence.
    """
    chosen = {s.name: why for s in speakers if (why := listed_reason(s, config))}
    if not chosen and len(speakers) > 1 and config.val_share:
        count = max(1, round(config.val_share * len(speakers)))
        order = sorted(speakers, key=lambda s: hashlib.sha256(s.name.encode()).hexdigest())
        chosen = {s.name: f"val_share {config.val_share:g}" for s in order[:count]}
    return tuple(
        Speaker(
            name=s.name,
            files=s.files,
            why=s.why,
            stems=s.stems,
            is_val=s.name in chosen,
            why_val=chosen.get(s.name, ""),
        )
        for s in speakers
    )


def listed_reason(speaker: Speaker, config: PreprocessConfig) -> str:
    """Return the reason for which a speaker is listed for validation; empty if it is not."""
    names = [*(f"{stem}.json" for stem in speaker.stems), *speaker.files]
    for part in config.val_list_hdtf:
        if part and any(part in name for name in names):
            return f"val_list_hdtf has {part}"
    return ""
