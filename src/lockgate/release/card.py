"""The model card of a release: Markdown with the front matter that Hugging Face reads, from the evidence page's pack.

Short on purpose: the evidence page is for deciding, the card travels with the model.
"""

from __future__ import annotations

import json
import re

from lockgate.records.digest import Json, short
from lockgate.records.pack import Pack
from lockgate.release import wording
from lockgate.release.headline import mark

__all__ = ["render_card"]

MARKUP = re.compile(r"([\\`*_\[\]<>#|~&])")


def render_card(pack: Pack, *, task: str = "tabular-regression") -> str:
    """Render the card. `task` is one of Hugging Face's task names. Pure; the same pack gives the same text."""
    sections = [_title(pack), _groups(pack), _checks(pack), _limits(pack), _credits(pack)]
    return f"---\n{_front_matter(pack, task)}---\n\n" + "\n\n".join(s for s in sections if s) + "\n"


def _front_matter(pack: Pack, task: str) -> str:
    """JSON values, one key a line: every YAML parser reads them and no text can break out of its quotes."""
    fields: dict[str, Json] = {
        "library_name": "lockgate",
        "pipeline_tag": task,
        "tags": ["lockgate", wording.visible(pack.project)],
    }
    overall = pack.overall
    if overall is not None and (value := wording.decimal_of(overall.value)) is not None:
        metric = {"type": pack.metric.name, "name": wording.metric_name(pack.metric), "value": float(value)}
        result = {
            "task": {"type": task},
            "dataset": {"type": pack.project, "name": f"{pack.project} as of {pack.as_of.isoformat()}"},
            "metrics": [metric],
        }
        fields["model-index"] = [{"name": pack.project, "results": [result]}]
    return "".join(
        f"{key}: {wording.visible(json.dumps(value, ensure_ascii=False))}\n" for key, value in fields.items()
    )


def _title(pack: Pack) -> str:
    lines = [f"# {_text(pack.project)}, release {_text(short(pack.release))}", wording.sentence(_text(pack.target))]
    lines.append(
        f"As of {wording.day(pack.as_of)}, proposed for {_text(pack.environment)}. Release {_text(pack.release)}."
    )
    if pack.banner:
        lines.append(f"> {_text(pack.banner)}")
    lines += [f"> Caution: {wording.sentence(_text(line))}" for line in pack.cautions]
    return "\n\n".join(line for line in lines if line)


def _groups(pack: Pack) -> str:
    if not pack.groups:
        return ""
    groups = wording.worst_first(pack.groups, pack.metric)
    rows = [
        f"| {_text(wording.group_name(g.by, g.group))} | {_text(wording.number(g.estimate.value, g.estimate.unit))} "
        f"| {_text(wording.spread(g.estimate))} | {g.estimate.n:,} |"
        for g in groups
    ]
    head = f"## How good is it?\n\n{wording.sentence(_text(pack.metric.meaning))} Worst groups first; ± is half of the 95% interval."
    table = f"| group | {_text(wording.metric_name(pack.metric))} | ± | n |\n|---|---|---|---|\n" + "\n".join(rows)
    return f"{head}\n\n{table}"


def _checks(pack: Pack) -> str:
    lines = [
        f"- {mark(v.outcome).symbol} {_text(mark(v.outcome).word)}: **{_text(v.gate)}**. {_text(v.reason)}"
        for v in pack.verdicts
    ]
    return "## What was checked?\n\n" + ("\n".join(lines) or "Nothing.")


def _limits(pack: Pack) -> str:
    return "## Known limits\n\n" + "\n".join(f"- {_text(line)}" for line in pack.limits) if pack.limits else ""


def _credits(pack: Pack) -> str:
    return "## Data\n\n" + "\n\n".join(_text(line) for line in pack.credits) if pack.credits else ""


def _text(text: str) -> str:
    r"""Text from data as Markdown shows it literally, on one line.

    >>> print(_text("a|b <i>"))
    a\|b \<i\>
    """
    return MARKUP.sub(r"\\\1", wording.visible(" ".join(text.split())))
