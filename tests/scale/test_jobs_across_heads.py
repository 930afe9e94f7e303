"""Jobs, their keys and uploads at three real heads behind a real nginx."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.given_sounds import babble, wav_of
from tests.polling import wait_until
from tests.scale.heads import NAMES, NO_NGINX, Answer, Cluster, cluster, find_nginx, nginx_before
from tests.web.page_server import make_avatar
from warm.avatars.store import AvatarStore

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if find_nginx() is None:
        pytest.skip(NO_NGINX)
    folder = tmp_path_factory.mktemp("heads")
    make_avatar(AvatarStore(folder / "results"))
    with cluster(folder / "results") as started, nginx_before(started, folder / "nginx"):
        yield started


def order(found: Cluster, name: str, text: str = "Hello.", **headers: str) -> Answer:
    """Order a film of a text at a head."""
    return found[name].ask(
        "POST", "/films", {"avatar_id": "tiny", "text": {"text": text}}, **headers
    )


def wait_for_film(found: Cluster, name: str, job_id: str) -> None:
    """Wait until a head reports that a job is done; it must not fail."""

    def is_done() -> bool:
        job = found[name].ask("GET", f"/jobs/{job_id}").json
        assert job["state"] in ("queued", "running", "done"), job
        return bool(job["state"] == "done")

    wait_until(is_done, f"job {job_id} at head {name}")


def listed(found: Cluster, name: str, query: str = "") -> Any:
    """The answer of a head to `GET /jobs`."""
    answer = found[name].ask("GET", f"/jobs{query}")
    assert answer.status == 200, answer.content
    return answer.json


def send_sound(found: Cluster, name: str, seed: int) -> Any:
    """Upload a sound to a head."""
    sent = found[name].ask("POST", "/uploads", sound(seed), Content_Type="audio/wav")
    assert sent.status == 201, sent.content
    return sent.json


def sound(seed: int) -> bytes:
    """A short WAV file that differs from those with other seeds."""
    return wav_of(babble(0.6, seed=seed))


def test_every_head_lists_the_jobs_of_all_heads_in_pages(found: Cluster) -> None:
    made = [
        order(found, name, f"Film {turn} of {name}.").json["id"]
        for turn in range(2)
        for name in NAMES
    ]
    newest_first = made[::-1]
    for name in NAMES:
        assert [job["id"] for job in listed(found, name)["jobs"]] == newest_first
        seen: list[str] = []
        token: str | None = ""
        while token is not None:
            page = listed(found, name, f"?limit=4&token={token}" if token else "?limit=4")
            seen += [job["id"] for job in page["jobs"]]
            assert len(page["jobs"]) == min(4, len(made) - len(seen) + len(page["jobs"]))
            token = page["token"]
        assert seen == newest_first
        for job_id in made:
            wait_for_film(found, name, job_id)
    done = listed(found, "b")["jobs"]
    for job in done:
        path = job["result_url"][job["result_url"].index("/results/") :]
        assert found["c"].ask("GET", path).content[4:8] == b"ftyp"
    assert found["a"].ask("GET", "/jobs?token=nonsense").status == 422
    assert found["b"].ask("DELETE", f"/jobs/{made[0]}").status == 204  # a job of head a
    assert [job["id"] for job in listed(found, "c")["jobs"]] == newest_first[:-1]


def test_a_key_makes_one_job_whichever_heads_receive_it(found: Cluster) -> None:
    key = {"Idempotency_Key": "one"}
    first = order(found, "a", "Once.", **key)
    assert (first.status, first.head) == (202, "a"), first.content
    for name in NAMES:
        again = order(found, name, "Once.", **key)
        assert (again.status, again.head, again.json["id"]) == (202, "a", first.json["id"])
        other = order(found, name, "Something else.", **key)
        assert (other.status, other.json["kind"]) == (422, "ValidationError"), other.content
    headers = key | {"X_Session_Id": "paris"}
    assert order(found, "b", "Once.", **headers).json["id"] == first.json["id"]
    assert len([job for job in listed(found, "c")["jobs"] if job["id"] == first.json["id"]]) == 1


def test_an_upload_is_usable_at_every_head_and_deleted_at_all(found: Cluster) -> None:
    upload = send_sound(found, "a", 1)
    body = {"avatar_id": "tiny", "recording": upload["id"]}
    made = [found[name].ask("POST", "/films", body) for name in ("b", "c", "b")]
    for answer in made:
        assert answer.status == 202, answer.content
        wait_for_film(found, "a", answer.json["id"])
    assert [answer.head for answer in made] == ["b", "c", "b"]
    spoken = found["c"].ask("POST", "/speak", {"audio_url": upload["url"], "session_id": "uploads"})
    assert spoken.status == 200, spoken.content
    assert found["b"].ask("DELETE", f"/uploads/{upload['id']}").status == 204
    for name in NAMES:
        assert found[name].ask("GET", f"/uploads/{upload['id']}").status == 404
        refused = found[name].ask("POST", "/films", body)
        assert (refused.status, refused.json["kind"]) == (404, "NotFoundError"), refused.content


def test_an_avatar_that_a_job_of_another_head_uses_is_not_deleted(found: Cluster) -> None:
    text = "This sentence takes about three seconds, all in all. " * 40
    body = {"avatar_id": "grey", "text": {"text": text}}
    job_id = found["a"].ask("POST", "/films", body).json["id"]
    assert found["c"].ask("GET", "/avatars/grey").json["used_by"] == [f"job {job_id!r}"]
    refused = found["b"].ask("DELETE", "/avatars/grey")
    assert (refused.status, refused.json["kind"]) == (409, "AvatarError"), refused.content
    assert "is used by job" in refused.json["detail"]
    assert found["b"].ask("POST", f"/jobs/{job_id}/cancel").status in (200, 202)
    wait_until(lambda: found["b"].ask("DELETE", "/avatars/grey").status == 200, "the deletion")


def test_a_repeated_request_makes_no_second_job_while_its_head_is_gone(found: Cluster) -> None:
    key = {"Idempotency_Key": "survivor", "Content_Type": "application/json"}
    body = {"avatar_id": "tiny", "text": {"text": "Still one job."}}
    first = found.ask("POST", "/films", body, **key)
    assert first.status == 202, first.content
    home = found[str(first.head)]
    other = found[next(name for name in NAMES if name != home.name)]
    upload = send_sound(found, home.name, 2)
    home.kill()
    answers: list[Answer] = []

    def is_answered() -> bool:
        """Repeat the request; nginx may still have connections to the killed head."""
        answers.append(found.ask("POST", "/films", body, **key))
        return answers[-1].status != 502

    wait_until(is_answered, "the answer of another head")
    retried = answers[-1]
    assert (retried.status, retried.json["kind"]) == (503, "HeadError"), retried.content
    assert f"head {home.name!r}" in retried.json["detail"]
    assert int(retried.headers["Retry-After"]) >= 1
    lost = other.ask("POST", "/films", {"avatar_id": "tiny", "recording": upload["id"]})
    assert lost.status == 404
    assert first.json["id"] not in [job["id"] for job in listed(found, other.name)["jobs"]]
    home.start()
    home.wait()
    again = other.ask("POST", "/films", body, **key)
    assert (again.status, again.json["id"]) == (202, first.json["id"]), again.content
    wait_for_film(found, other.name, first.json["id"])
