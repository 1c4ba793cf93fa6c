"""Every fault of the tests, by the dozen: how often tried, repetitions lost, damage unnoticed, digests equal."""

import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parents[2] / "tests" / "generators"


def measure(percent: int) -> dict[str, float]:
    """Inject each fault so often, in per cent of its full count, into a dataset without physics."""
    sys.path.insert(0, str(HERE))
    from distributed import LocalCluster
    from faults import FAULTS, killed_on_loky_finished_on_dask

    figures: dict[str, float] = {}
    for name, (fault, _, many) in FAULTS.items():
        figures |= _tally(name, fault, max(1, many * percent // 100))
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        address = cluster.scheduler_address
        figures |= _tally(
            "killed_on_loky_finished_on_dask",
            lambda folder, rng: killed_on_loky_finished_on_dask(folder, rng, address),
            max(1, 5 * percent // 100),
        )
    return figures


def _tally(name: str, fault, count: int) -> dict[str, float]:
    verdicts = []
    for k in range(count):
        with TemporaryDirectory() as folder:
            verdicts.append(fault(Path(folder) / "dataset", random.Random(f"{name} {k}")))
    return {
        f"{name}.tried": count,
        f"{name}.lost_repetitions": sum(verdict.lost for verdict in verdicts),
        f"{name}.undetected": sum(verdict.undetected for verdict in verdicts),
        f"{name}.digest_equal": sum(verdict.digest_equal for verdict in verdicts),
    }
