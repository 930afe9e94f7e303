"""Users of avatars at other heads. Sessions are on the shared disk; jobs are asked for."""

from warm.heads.heads import Heads

PATH = "/heads/avatars"


def jobs_elsewhere(heads: Heads, avatar_id: str) -> list[str]:
    """Return the jobs of other heads that use an avatar, in words; also each head that does not
    answer, because it may have one. Raises OSError."""
    found: list[str] = []
    for head in heads.others():
        answer = heads.peers.get(head, f"{PATH}?avatar_id={avatar_id}", {})
        jobs = None if answer is None else answer.get("jobs")
        found += [f"perhaps {head}, which does not answer"] if jobs is None else map(str, jobs)
    return found
