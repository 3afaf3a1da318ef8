"""A CI file is read as GitLab's Ruby reads it. The right-hand sides are what Psych 4.0 (Ruby 3.1) answered."""

from __future__ import annotations

import pytest
from lockgate.forge.gitlab_read import read, read_text


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("x: &x {script: [evil]}\na: {script: [ok], <<: *x}", {"script": ["evil"]}),
        ("x: &x {script: [evil]}\na: {<<: *x, script: [ok]}", {"script": ["ok"]}),
        ("a: {<<: [{b: 1, c: 3}, {b: 2}], c: 4}", {"b": 1, "c": 4}),
        ("a: {'<<': {b: 1}, c: 2}", {"b": 1, "c": 2}),
        ("a: {b: 1, b: 2}", {"b": 2}),
        ("a: {b: !reference [.x, script]}", {"b": (".x", "script")}),
    ],
)
def test_keys_count_in_their_order(text: str, content: object) -> None:
    assert read(text)["a"] == content


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 3", "`a` stands twice, in lines 1 and 3"),
        ("m:\n  a: 1\n  a: 3", "`a` stands twice, in lines 2 and 3"),
        (":check:\n  script: [evil]", "`:check` in line 1 is a symbol of Ruby: GitLab reads `check`"),
        ("a:\n  :script: [evil]", "`:script` in line 2"),
        ("? !!binary Z2F0ZQ==\n: 1", "the tag !!binary in line 1"),
        ("a: 1\n---\nb: 2", "2 documents in one file"),
        ("spec: {inputs: {a: }}\n---\nb: 2\n---\nc: 1", "3 documents in one file"),
    ],
)
def test_what_two_readers_read_differently_is_said(text: str, says: str) -> None:
    assert any(says in line for line in read_text(text).odd), read_text(text).odd


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {b: 1}\nc: {<<: *a, d: 2}\ne: {<<: *a}",
        'a: ":quoted"\nb: "::"\nc: ":"',
        "a: !reference [.b, script]",
        "spec: {inputs: {name: {default: x}}}\n---\nb: $[[ inputs.name ]]",
        "",
    ],
)
def test_usual_files_are_not_odd(text: str) -> None:
    assert read_text(text).odd == ()


def test_the_file_stands_behind_its_header() -> None:
    found = read_text("spec: {inputs: {name: }}\n---\nb: 2")
    assert (found.content, found.inputs) == ({"b": 2}, True)
    assert read_text("spec: {script: [a]}").inputs is False


@pytest.mark.parametrize("text", ["a: [", "a: &a [*a]\nb: {? [1, *a] : 2}", "a: *nobody", "!ruby/sym gate: 1", "\x00"])
def test_no_yaml_is_an_error_that_says_where(text: str) -> None:
    with pytest.raises(ValueError):
        read_text(text)
