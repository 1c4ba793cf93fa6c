"""The faults of `faults.py`, each a few times; `benchmarks/run.py faults` injects them by the dozen."""

import os
import random
import subprocess
import sys

import pytest
from faults import FAULTS, HERE, Verdict

from generators.attempts import Limits, attempt, reason, reports
from generators.store import DiskError

pytestmark = [pytest.mark.fault, pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")]
CASES = [
    (name, k) for name, (_, few, many) in FAULTS.items() for k in range(many if os.getenv("SQUAT_FAULTS") else few)
]


@pytest.mark.parametrize(("name", "seed"), CASES, ids=lambda value: str(value))
def test_nothing_is_lost_and_nothing_goes_unnoticed(tmp_path, name, seed):
    fault = FAULTS[name][0]
    assert fault(tmp_path / "dataset", random.Random(f"{name} {seed}")) == Verdict()


def fail() -> None:
    raise ArithmeticError("the body fell over")


def test_a_shard_is_tried_three_times_by_whoever_comes(tmp_path):
    for k in range(3):
        assert len(reports(tmp_path, 7)) == k
        assert attempt(fail, tmp_path, 7, Limits()).reason == "ArithmeticError: the body fell over"
    made = []
    assert attempt(lambda: made.append(1), tmp_path, 7, Limits()).number == 7
    assert made == []
    assert [reason(path) for path in reports(tmp_path, 7)] == ["ArithmeticError: the body fell over"] * 3


def test_a_full_disk_is_no_fault_of_the_shard(tmp_path):
    def full() -> None:
        raise DiskError("no room")

    with pytest.raises(DiskError):
        attempt(full, tmp_path, 7, Limits())
    assert list(tmp_path.iterdir()) == []


CRASH = """
import ctypes, pathlib, sys
from generators.attempts import Limits, attempt
attempt(lambda: ctypes.string_at(0), pathlib.Path(sys.argv[1]), 0, Limits(seconds=60))
"""


def test_a_crash_in_native_code_leaves_the_stack(tmp_path):
    done = subprocess.run([sys.executable, "-c", CRASH, str(tmp_path)], cwd=HERE, capture_output=True)
    assert done.returncode < 0
    (report,) = reports(tmp_path, 0)
    assert reason(report) == "Fatal Python error: Segmentation fault"
    assert "string_at" in report.read_text()
