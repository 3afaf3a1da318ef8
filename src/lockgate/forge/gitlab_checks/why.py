"""Why each keyword of a job matters, and where a team says the same so that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["INSTEAD", "WHY"]

WHY: Final[Mapping[str, str]] = {
    "": "a job of ours is what was rendered, and nothing else",
    "script": "the job does not do what it is called any more",
    "run": "it runs instead of the script",
    "before_script": "it runs in the same shell before the command: `exit 0` there ends the job green, and the command never ran",
    "after_script": "it runs behind the verdict, with the job's key and tokens",
    "hooks": "it runs before the files are there, and can change which ones they are",
    "image": "another image may hold another program called lockgate",
    "services": "a service answers under a name that the job may ask",
    "tags": "another runner is another machine, with other people on it",
    "variables": "a variable decides which program runs (PATH, BASH_ENV), on which files (GIT_STRATEGY), and whose word counts (CI_…)",
    "secrets": "a secret is a variable of the job",
    "id_tokens": "the token says who the job is, to whomever it names",
    "identity": "the token says who the job is, to whomever it names",
    "rules": "the job is there, or not, in other pipelines than those it belongs to",
    "only": "the job is there, or not, in other pipelines than those it belongs to",
    "except": "the job is there, or not, in other pipelines than those it belongs to",
    "when": "the job starts by itself, or never, or after a failure",
    "start_in": "the job starts later than it should",
    "manual_confirmation": "people are asked another question",
    "needs": "what has to be green before the job is not what the declaration says",
    "dependencies": "the job takes other files than the ones it needs",
    "allow_failure": "a failure passes that should stop",
    "retry": "it decides what is tried again; a verdict is not, and what was outside of it is",
    "parallel": "one job becomes several, and two gates or deployments run at once",
    "timeout": "the job ends half-way",
    "interruptible": "a newer pipeline ends the job half-way, or may not end it",
    "resource_group": "two pipelines may do the same at once",
    "environment": "the job is bound to another environment, whose rights and approvals are others",
    "extends": "the job takes over keys of another one",
    "inherit": "`default` and global variables of other files would count for this job",
    "stage": "the job stands in another place of the pipeline",
    "artifacts": "what people and later jobs are shown is not what the job wrote",
    "cache": "what another job left there would be used",
    "coverage": "GitLab reads a number out of the job's output",
    "release": "GitLab makes a release when the job is green, whatever the job says",
    "pages": "GitLab publishes files of the job",
    "trigger": "another pipeline is started",
}

INSTEAD: Final[Mapping[str, str]] = {
    "image": "[gitlab] image",
    "before_script": "[gitlab] setup",
    "tags": "[gitlab] tags",
    "cache": "[gitlab] cache, cache_key",
    "variables": "[gitlab.variables]",
    "environment": "[gitlab.environments.NAME] url, tier",
}
"""Keywords that a setting of lockgate.toml is for."""
