"""The merge request that a pipeline belongs to, as its variables tell."""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.records.frozen import frozen

__all__ = ["Change", "change_in", "links_in", "note_token"]

NOTE_TOKEN = "LOCKGATE_NOTE_TOKEN"  # noqa: S105  the name of a variable
PROJECT_TOKEN = "LOCKGATE_GITLAB_TOKEN"  # noqa: S105  the name of a variable


@frozen
class Change:
    """`number`: of the merge request, empty where there is none to write under; `why_not`: the reason then."""

    number: str = ""
    why_not: str = ""


def change_in(environment: Mapping[str, str]) -> Change:
    """Read the variables. A fork's pipeline runs in the fork, with none of the target's secrets: it has nowhere to write.

    >>> change_in({"CI_MERGE_REQUEST_IID": "7", "CI_PROJECT_ID": "42", "CI_MERGE_REQUEST_PROJECT_ID": "42"}).number
    '7'
    >>> change_in({}).why_not
    'this is no pipeline of a merge request'
    """
    number = environment.get("CI_MERGE_REQUEST_IID", "")
    if not number:
        return Change(why_not="this is no pipeline of a merge request")
    target, here = environment.get("CI_MERGE_REQUEST_PROJECT_ID", ""), environment.get("CI_PROJECT_ID", "")
    if target and target != here:
        why = (
            f"this pipeline runs in a fork (project {here}) and may not write in project {target}: "
            "a member of that project starts one there, from the merge request's tab Pipelines"
        )
        return Change(why_not=why)
    return Change(number=number)


def note_token(environment: Mapping[str, str]) -> str:
    """The variable whose token writes the note: one that can do no more, where somebody made one.

    >>> note_token({}), note_token({"LOCKGATE_GITLAB_TOKEN": "x"}), note_token({"LOCKGATE_NOTE_TOKEN": "x"})
    ('LOCKGATE_NOTE_TOKEN', 'LOCKGATE_GITLAB_TOKEN', 'LOCKGATE_NOTE_TOKEN')
    """
    has_other = environment.get(PROJECT_TOKEN) and not environment.get(NOTE_TOKEN)
    return PROJECT_TOKEN if has_other else NOTE_TOKEN


def links_in(environment: Mapping[str, str], page: str, urls: Mapping[str, str]) -> dict[str, str]:
    """Words → address of what a reviewer may want to open. `page`: the evidence page among this job's files, empty without one.

    >>> links_in({"CI_JOB_URL": "https://a.example/-/jobs/9"}, "out/p.html", {"production": "https://shop.example"})
    {'evidence page': 'https://a.example/-/jobs/9/artifacts/file/out/p.html', 'production': 'https://shop.example'}
    """
    job, pipeline = environment.get("CI_JOB_URL", ""), environment.get("CI_PIPELINE_URL", "")
    found = {"evidence page": f"{job}/artifacts/file/{page}" if job and page else "", "pipeline": pipeline, **urls}
    return {words: address for words, address in found.items() if address}
