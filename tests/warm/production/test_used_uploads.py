"""Uploads that jobs need stay, whatever their age."""

from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from api.job_errors import job_error
from tests.warm.jobs.gated_handler import GatedHandler
from warm.jobs.jobs import Jobs
from warm.jobs.limits import JobLimits
from warm.production.used_uploads import used_uploads
from warm.uploads.errors import UnknownUpload
from warm.uploads.store import UploadLimits, UploadStore
from warm.uploads.upload import ALL_KINDS


def test_an_upload_expires_after_the_job_that_needs_it(tmp_path: Path) -> None:
    now_s = 1000.0
    limits = UploadLimits(ttl_s=60.0)
    with (
        closing(UploadStore(tmp_path / "uploads", limits, clock=lambda: now_s)) as uploads,
        closing(Jobs(tmp_path, JobLimits(), describe=job_error)) as jobs,
    ):
        jobs.register(GatedHandler())
        uploads.keep_while_used(lambda: used_uploads(jobs))
        picture = cv2.imencode(".png", np.full((32, 32, 3), 90, np.uint8))[1].tobytes()
        stored = uploads.receive([picture], allowed=ALL_KINDS, owner="")
        request = {"options": {"logo": {"upload": stored.id}}, "parts": [1, None, "text"]}
        job = jobs.submit("film", request, surface="jobs")
        now_s += 3600
        uploads.sweep()
        assert uploads.get(stored.id).path.read_bytes() == picture
        jobs.cancel(job.id)
        uploads.sweep()
        with pytest.raises(UnknownUpload):
            uploads.get(stored.id)
