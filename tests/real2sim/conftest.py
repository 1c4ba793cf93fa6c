"""Stand-in recordings of four people, a small simulated dataset, and a run on both, made once for all tests."""

from pathlib import Path

import pytest
from small_run import EVERY_MODEL, FOLD, brief, trained

from real2sim.run import Run


@pytest.fixture(scope="session")
def recordings(tmp_path_factory) -> Path:
    from real2sim.simulation import make_stand_ins

    folder = tmp_path_factory.mktemp("recordings") / "stand-in"
    make_stand_ins(folder, people=4, seed=0, jobs=2, progress=False)
    return folder


@pytest.fixture(scope="session")
def simulated(tmp_path_factory) -> Path:
    from generators.produce import produce
    from generators.recipe import randomised
    from generators.repetition import make_repetitions

    folder = tmp_path_factory.mktemp("simulated") / "randomised"
    produce(randomised(repetitions=60), folder, make=make_repetitions, jobs=2, progress=False)
    return folder


@pytest.fixture(scope="session")
def trained_run(recordings, simulated, tmp_path_factory) -> Run:
    """A run in which every model is trained, with one seed and in one fold, for as few epochs as there are."""
    own = brief(recordings, simulated)
    return trained(Run.start(tmp_path_factory.mktemp("trained"), own), EVERY_MODEL.values(), FOLD)
