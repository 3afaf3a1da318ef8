"""The model card of a release: Markdown with the front matter that Hugging Face reads, from the evidence page's pack.

Short on purpose: the evidence page is for deciding, the card travels with the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from lockgate.records.digest import Json, short
from lockgate.records.pack import Pack
from lockgate.release import beside, wording
from lockgate.release.headline import mark

__all__ = ["render_card"]

LICENCES = frozenset(
    [
        "apache-2.0",
        "mit",
        "bsd",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc0-1.0",
        "cc-by-4.0",
        "cc-by-sa-4.0",
        "cc-by-nc-4.0",
        "cc-by-nc-sa-4.0",
        "gpl-2.0",
        "gpl-3.0",
        "lgpl-3.0",
        "agpl-3.0",
        "mpl-2.0",
        "epl-2.0",
        "isc",
        "unlicense",
        "openrail",
        "odbl",
    ]
)
"""What the Hub calls them (hf.co/docs/hub/repositories-licenses)."""
GRADES = {
    "signed": "signed, each with their own key", "attested": "attested, a forge says who pressed a button; a signature counts, too",
}  # fmt: skip
MARKUP = re.compile(r"([\\`*_\[\]<>#|~&])")


def render_card(pack: Pack, *, task: str = "") -> str:
    """Render the card. `task` is one of Hugging Face's task names; "" guesses it. Pure; the same pack gives the same text."""
    sections = [
        _title(pack), _purpose(pack), _groups(pack), _checks(pack), _decides(pack), _looks(pack), _honest(pack), _limits(pack), _missing(pack),
        _built(pack), _credits(pack),
    ]  # fmt: skip
    return f"---\n{_front_matter(pack, task or _task(pack))}---\n\n" + "\n\n".join(s for s in sections if s) + "\n"


def _task(pack: Pack) -> str:
    """Scores of a decision make a classifier, days ahead a forecast; all else is a number for a row."""
    if pack.reliability:
        return "tabular-classification"
    return "time-series-forecasting" if pack.by_horizon else "tabular-regression"


def _front_matter(pack: Pack, task: str) -> str:
    """JSON values, one key a line: every YAML parser reads them and no text can break out of its quotes.

    The fields are those of `huggingface_hub.ModelCardData`; a licence that the Hub does not know is called `other` there.
    """
    fields: dict[str, Json] = {
        "library_name": "lockgate",
        "pipeline_tag": task,
        "tags": ["lockgate", wording.visible(pack.project), task],
        "metrics": [pack.metric.name],
    }
    licence = pack.purpose.licence if pack.purpose else ""
    if licence:
        known = licence.lower() in LICENCES
        fields |= {"license": licence.lower()} if known else {"license": "other", "license_name": licence}
    if results := _results(pack, task):
        fields["model-index"] = [{"name": pack.project, "results": results}]
    return "".join(
        f"{key}: {wording.visible(json.dumps(value, ensure_ascii=False))}\n" for key, value in fields.items()
    )


def _results(pack: Pack, task: str) -> list[Json]:
    """The metric over all rows, and for each group: a Hub that shows one number may show the worst, too."""
    everything = [("", pack.overall)] if pack.overall else []
    groups = [(wording.group_name(g.by, g.group), g.estimate) for g in beside.worst_first(pack.groups, pack.metric)]
    found: list[Json] = []
    for group, estimate in (*everything, *groups):
        if (value := wording.decimal_of(estimate.value)) is None:
            continue
        name = f"{pack.project} as of {pack.as_of.isoformat()}" + (f", {group}" if group else "")
        metric = {"type": pack.metric.name, "name": wording.metric_name(pack.metric), "value": float(value)}
        found.append(
            {
                "task": {"type": task},
                "dataset": {
                    "type": pack.project,
                    "name": name,
                    "split": "test",
                    **({"config": group} if group else {}),
                },
                "metrics": [metric],
            }
        )
    return found


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
    groups = beside.worst_first(pack.groups, pack.metric)
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


def _decides(pack: Pack) -> str:
    """Who is asked, and what counts as their word: a card that travels without its ledger must not promise more."""
    rule, place = pack.rule, _text(pack.environment)
    if rule is None:
        return f"## Who decides?\n\nNobody is asked before {place}."
    people = "one person" if rule.people == 1 else f"{rule.people} different people"
    roles = "".join(f", and who holds the role **{_text(role)}**" for role in rule.others)
    counts = GRADES.get(rule.grade, _text(rule.grade))
    return f"## Who decides?\n\nBefore {place} {people} in the role **{_text(rule.role)}**{roles}. Grade: {counts}."


def _purpose(pack: Pack) -> str:
    purpose = pack.purpose
    if purpose is None:
        return "## Intended use\n\nNobody wrote down what it is for. Ask the owner."
    lines = ["## Intended use", _text(wording.sentence(purpose.intended)) or "Nobody wrote down what it is for."]
    if purpose.forbidden:
        lines.append("It must not be used for:\n\n" + _list(purpose.forbidden))
    lines += [f"Owner: {_text(purpose.owner)}."] if purpose.owner else []
    lines += [f"Look at it again by {_text(purpose.review_by)}."] if purpose.review_by else []
    return "\n\n".join(lines)


def _looks(pack: Pack) -> str:
    """The inputs that it would miss most, and what its own explanations say."""
    harms = [
        f"{_text(i.name)}: {_text(wording.points(i.harm))} worse without it {_text(wording.spread(i.harm))}"
        for i in pack.importances
        if (value := wording.decimal_of(i.harm.value)) is not None and value > 0
    ]
    own = [f"{_text(i.name)}: {i.share:.0%} by its own explanations" for i in pack.influences]
    rows = [f"- {line}" for line in (*harms, *own)]
    return "## What does it look at?\n\n" + "\n".join(rows) if rows else ""


def _honest(pack: Pack) -> str:
    rows = [
        f"- {_text(wording.group_name(g.by, g.group))}: {_text(wording.number(g.estimate.value, wording.SHARE))} of truths inside the interval, n {g.estimate.n:,}"
        for g in pack.coverage
    ]
    rows += [
        f"- {_text(wording.group_name(r.by, r.group))}: "
        + (
            f"said and happened {_text(wording.number(r.gap, wording.SHARE))} apart, n {r.n:,}"
            if r.gap is not None
            else f"not assessed, {_text(r.why)}"
        )
        for r in pack.reliability
    ]
    promised = (
        f"; {_text(wording.round_percent(pack.promised_coverage))} was promised" if pack.promised_coverage else ""
    )
    return (
        f"## Calibration per group\n\nHow honest its own certainty is{promised}.\n\n" + "\n".join(rows) if rows else ""
    )


def _limits(pack: Pack) -> str:
    return "## Known limits\n\n" + _list([*pack.limits, *pack.exceptions]) if pack.limits or pack.exceptions else ""


def _missing(pack: Pack) -> str:
    lines = [f"{e.gate}: {line}" for e in pack.evidence for line in e.not_assessed]
    return "## Not assessed\n\n" + _list([*lines, *pack.missing]) if lines or pack.missing else ""


def _built(pack: Pack) -> str:
    built = pack.builder
    if built is None:
        return ""
    by = f"Run started by {_text(built.started_by) or 'nobody who was recorded'}; Python {_text(built.python)} on {_text(built.platform)}."
    return f"## Who built it\n\n{by} Commit {_text(built.commit) or 'none'}{' with changes that were not committed' if built.dirty else ''}."


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_text(wording.sentence(line))}" for line in lines)


def _credits(pack: Pack) -> str:
    return "## Data\n\n" + "\n\n".join(_text(line) for line in pack.credits) if pack.credits else ""


def _text(text: str) -> str:
    r"""Text from data as Markdown shows it literally, on one line.

    >>> print(_text("a|b <i>"))
    a\|b \<i\>
    """
    return MARKUP.sub(r"\\\1", wording.visible(" ".join(text.split())))
