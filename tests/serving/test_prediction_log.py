"""The prediction log keeps what was answered: a torn tail is dropped, a damaged line is named, a full disk answers."""

from __future__ import annotations

import datetime as dt
import os
import resource
from pathlib import Path

import pytest

from lockgate.errors import IntegrityError, ServiceUnavailable
from lockgate.records.prediction import Prediction
from lockgate.serving.log import PredictionLog, decode_segment, encode_line, read_log


def _prediction(number: int) -> Prediction:
    return Prediction(
        request_id=f"id-{number}",
        time=dt.datetime(2026, 11, 23, 9, 0, number, tzinfo=dt.UTC),
        release="sha256:00",
        environment="staging",
        as_of="2011-10-15",
        inputs={"product": "caf\u00e9 \n", "date": "2011-10-20"},
        output={"units": 1.5},
        note="closed" if number % 2 else None,
        extra={"later": number},
    )


PREDICTIONS = [_prediction(n) for n in range(4)]


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "log", "a")
    log.append(PREDICTIONS[:1])
    log.append(PREDICTIONS[1:])
    log.close()
    assert list(read_log(tmp_path / "log")) == PREDICTIONS
    assert list(read_log(tmp_path / "nowhere")) == []


def test_a_tail_torn_at_any_byte_loses_only_what_was_never_answered() -> None:
    lines = [encode_line(p) for p in PREDICTIONS]
    data = b"".join(lines)
    ends = [sum(map(len, lines[: n + 1])) for n in range(len(lines))]
    for offset in range(len(data) + 1):
        whole = sum(end <= offset for end in ends)
        assert list(decode_segment(data[:offset], name="a")) == PREDICTIONS[:whole]


def test_a_flipped_bit_in_any_whole_line_is_named() -> None:
    lines = [encode_line(p) for p in PREDICTIONS[:2]]
    for position in range(len(lines[0]) - 1):
        damaged = bytearray(lines[0])
        damaged[position] ^= 1
        if damaged[position] == ord("\n"):
            continue
        with pytest.raises(IntegrityError, match="a:1"):
            list(decode_segment(bytes(damaged) + lines[1], name="a"))


def test_a_full_disk_refuses_the_answer_and_leaves_the_log_whole(tmp_path: Path) -> None:
    """A file size limit in a child plays the full disk: the kernel writes a part, then refuses."""
    log = PredictionLog(tmp_path, "a")
    log.append(PREDICTIONS[:1])
    size = log.path.stat().st_size
    child = os.fork()
    if child == 0:
        code = 1
        try:
            import signal

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, size + 40))
            for _ in range(2):
                try:
                    log.append(PREDICTIONS[1:])
                except ServiceUnavailable as error:
                    code = 0 if "not given" in error.what and log.path.stat().st_size == size else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    log.append(PREDICTIONS[1:])
    log.close()
    assert list(read_log(tmp_path)) == PREDICTIONS


def test_a_folder_that_cannot_be_made_refuses_the_answer(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file in the way")
    with pytest.raises(ServiceUnavailable):
        PredictionLog(tmp_path / "log", "a").append(PREDICTIONS)
