"""Stand-in recordings: what a real device would have left out is not there."""

import numpy as np

from generators.store import Repetition, write_dataset
from real2sim.recordings.plain import read_folder
from real2sim.stand_in import write_stand_ins


def test_a_stalled_watch_leaves_no_rows(tmp_path):
    time, rng = np.arange(300) / 100.0, np.random.default_rng(0)
    sample = {"time": time, "phase": (time < 1.5).astype(np.int8), "landmarks": rng.normal(size=(300, 17, 3))}
    for name in ("watch_accel", "watch_gyro", "phone_accel", "phone_gyro"):
        sample[name] = rng.normal([0.0, 9.81 * name.endswith("accel"), 0.0], 0.5, (300, 3)).astype(np.float32)
    sample["watch_accel"][100:180] = sample["watch_gyro"][100:180] = np.nan
    repetition = Repetition(
        index=0,
        sample=sample,
        range={"range_time": np.array([0.1, 0.3, 0.5]), "range_reading": np.array([1.0, np.nan, 1.1])},
        repetition={"set": 0, "repetition": 0, "subject": 0},
        drawn={"placement.watch.side": "left", "placement.phone.side": "left", "placement.phone.spot": "hand"},
    )
    dataset = write_dataset(tmp_path / "dataset", [repetition], recipe={"rate_hz": 100.0})
    write_stand_ins(tmp_path / "recordings", dataset)
    (recording,) = read_folder(tmp_path / "recordings")
    assert recording.watch is not None
    assert recording.phone is not None
    assert recording.range is not None
    assert len(recording.watch.t) == 220
    assert np.diff(recording.watch.t).max() > 0.8
    assert len(recording.phone.t) == 300
    assert np.isnan(recording.range.values).sum() == 1
