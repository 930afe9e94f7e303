"""Names in paths that lead out of a folder, or look like others."""

from collections.abc import Iterator

NAMES = (
    *("..", ".", "...", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
    *("..%5c..%5cboot.ini", "%2fetc%2fpasswd", "....//....//etc/passwd", "..;/etc/passwd"),
    *("%252e%252e%252fetc%252fpasswd", "%c0%ae%c0%ae%c0%afetc%c0%afpasswd", "%00", "a%00.png"),
    *("../../../etc/passwd", "..%00/", "CON", "a%0d%0aX-Injected:%20yes", "~root", "$(id)", "%20"),
    *("%ef%bc%8e%ef%bc%8e%ef%bc%8f", "dem%d0%be", "%d0%b0" * 32, "a" * 3000, "%f0%9f%98%80", "-"),
    *("content", "records", "incoming", "jobs.sqlite3", "content%2f" + "0" * 64, "0" * 32),
    *("0" * 32 + ".png", "0" * 32 + "%2f..", "%ff%fe", "*", "%3f", "a'b", 'a"b', "<script>", "{x}"),
)
TEMPLATES = (
    *("GET /uploads/{}", "DELETE /uploads/{}", "GET /avatars/{}", "DELETE /avatars/{}"),
    *("GET /avatars/{}/preview.png", "GET /avatars/{}/idle.mp4", "GET /avatars/{}/path.json"),
    *("GET /sessions/{}", "DELETE /sessions/{}", "GET /sessions/{}/full_session.mp4"),
    *("GET /archives/{}/a.mp4", "GET /archives/default/{}", "DELETE /archives/default/{}"),
    *("GET /jobs/{}", "DELETE /jobs/{}", "POST /jobs/{}/cancel", "GET /jobs/{}/video"),
    *("GET /results/{}/a.mp4", "GET /results/a/{}", "GET /web/{}", "GET /generate/{}"),
    *("GET /generate/{}/video", "GET /talk-status/{}", "GET /talks/{}", "DELETE /talks/{}"),
    *("GET /clips/{}", "DELETE /images/{}", "DELETE /audios/{}", "GET /{}"),
)


def targets() -> Iterator[tuple[str, str]]:
    """Yield methods and paths."""
    for template in TEMPLATES:
        method, _, path = template.partition(" ")
        for name in NAMES:
            if " " not in name:
                yield method, path.format(name)
