"""Links beside a job, as GitLab's `annotations` report (16.3 and newer)."""

import json
import re
from collections.abc import Mapping

__all__ = ["annotations"]

LONGEST = 1024
SECTION = "lockgate"


def annotations(links: Mapping[str, str]) -> str:
    """Words → address, as a report; what is no web address is left out.

    >>> print(annotations({"evidence": "https://a.example/x", "odd": "javascript:alert(1)"}), end="")
    {
      "lockgate": [
        {
          "external_link": {
            "label": "evidence",
            "url": "https://a.example/x"
          }
        }
      ]
    }
    """
    kept = {words: a for words, a in links.items() if re.fullmatch(r"https?://\S+", a) and len(a) <= LONGEST}
    said = [{"external_link": {"label": words, "url": address}} for words, address in kept.items()]
    return json.dumps({SECTION: said}, indent=2, ensure_ascii=False) + "\n"
