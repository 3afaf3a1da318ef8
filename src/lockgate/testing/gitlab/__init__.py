"""A double of a GitLab server, from GitLab's published source and documentation: docs/gitlab-api.md says what each route rests on.

>>> with GitLab() as gitlab:
...     gitlab.url.startswith("http://127.0.0.1:")
True
"""

from __future__ import annotations

from lockgate.testing.gitlab.answering import ROUTES
from lockgate.testing.gitlab.double import GitLab
from lockgate.testing.gitlab.faults import Fault
from lockgate.testing.gitlab.http import Answer, Route
from lockgate.testing.gitlab.people import DEVELOPER, GUEST, MAINTAINER, OWNER, REPORTER

__all__ = ["DEVELOPER", "GUEST", "MAINTAINER", "OWNER", "REPORTER", "ROUTES", "Answer", "Fault", "GitLab", "Route"]
