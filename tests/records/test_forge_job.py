"""What a proposal says of its pipeline is read with care: whoever signs it may have written anything."""

from __future__ import annotations

import pytest

from lockgate.records.digest import Json
from lockgate.records.forge_job import FORGE, ForgeJob, job_in, job_of
from lockgate.records.wire import to_json

JOB = ForgeJob(kind="gitlab", pipeline="12", commit="ab", job="3", ref="main", project="shop/demand")


def test_it_comes_back_as_it_was_written() -> None:
    assert job_of({FORGE: to_json(JOB)}) == JOB
    assert job_of({FORGE: {**to_json(JOB), "runner": "r7"}}) == JOB


@pytest.mark.parametrize(
    "said", [None, "12", ["gitlab", "12"], {}, {"kind": "gitlab", "pipeline": 12, "commit": "ab"}, {"pipeline": "12"}]
)
def test_what_cannot_be_read_names_no_pipeline(said: Json) -> None:
    assert job_of({FORGE: said}) is None
    assert not JOB.is_of_the_pipeline(job_of({FORGE: said}))


def test_a_pipeline_is_its_number_and_its_commit() -> None:
    environment = {"CI_PIPELINE_ID": "12", "CI_COMMIT_SHA": "ab", "CI_JOB_ID": "9"}
    assert JOB.is_of_the_pipeline(job_in(environment))
    for name in ("CI_PIPELINE_ID", "CI_COMMIT_SHA"):
        assert not JOB.is_of_the_pipeline(job_in({**environment, name: "other"}))
        assert job_in({**environment, name: ""}) is None
    assert job_in({}) is None
