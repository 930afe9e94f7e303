"""Client of the jobs of a real server."""

import http.client
import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.server_process import TIMEOUT_S, ServerProcess

POLL_S = 0.25
ACCEPTED = (200, 201, 202)


@dataclass(frozen=True, slots=True)
class Jobs:
    """Orders jobs, and waits for them."""

    server: ServerProcess

    def order(self, path: str, body: object) -> str:
        """Send a JSON body; return the id of the job."""
        answer = self._send("POST", path, json.dumps(body).encode(), "application/json")
        return str(answer["id"])

    def send_file(self, path: str, field: str, file: Path, **fields: str) -> str:
        """Send a form with a file; return the id of the job."""
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; '
            f'filename="{file.name}"\r\n\r\n'
        )
        body = "".join([*parts, head]).encode() + file.read_bytes()
        body += f"\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        answer = self._send("POST", path, body, kind)
        return str(answer["job_id"] if "job_id" in answer else answer["id"])

    def wait(self, job_id: str, limit_s: float) -> dict[str, Any]:
        """Return the result of a job; raises RuntimeError if it fails or takes too long."""
        deadline_s = time.perf_counter() + limit_s
        while time.perf_counter() < deadline_s:
            job = self._send("GET", f"/jobs/{job_id}")
            if job["state"] == "done":
                return dict(job["result"] or {})
            if job["state"] not in ("queued", "running"):
                raise RuntimeError(f"{job_id}: {job['state']} {job['error']}")
            time.sleep(POLL_S)
        raise RuntimeError(f"{job_id}: has not ended in {limit_s:g} s")

    def settle(self, job_id: str, limit_s: float) -> float:
        """Return the finished part of a job once it has ended; cancel it after `limit_s`."""
        deadline_s = time.perf_counter() + limit_s
        while time.perf_counter() < deadline_s:
            job = self._send("GET", f"/jobs/{job_id}")
            if job["state"] not in ("queued", "running"):
                break
            time.sleep(POLL_S)
        else:
            self._send("POST", f"/jobs/{job_id}/cancel")
        return float(job["progress"])

    def _send(
        self, method: str, path: str, body: bytes | None = None, kind: str = ""
    ) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=TIMEOUT_S)
        connection.request(method, path, body, {"Content-Type": kind} if kind else {})
        with connection.getresponse() as response:
            content = response.read()
        connection.close()
        if response.status not in ACCEPTED:
            raise RuntimeError(f"{method} {path}: {response.status} {content!r}")
        return dict(json.loads(content))
