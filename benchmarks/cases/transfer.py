"""Training beside a bare loop of the same GRUs, and where the time of a whole table of 20 labels goes.

A training is watched from outside: its step is the median time from one step of its optimiser to the next, with data
handling, independence term and clipping. The bare loop does every GRU call that such a step makes, on inputs of that
shape, with gradients to the same things, each with one linear output and its square, then a step of Adam.
`NETWORK_ratio` is the samples/s of the training over those of the bare loop, in processor time of one thread.
"""

import itertools
import resource
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

NETWORKS = (
    *("recogniser-randomised", "one-encoder", "movement-randomised", "movement-randomised-adapted", "two-encoder"),
    *("content-paper", "two-encoder-paper"),
)
PEOPLE, TESTED, LABELS = 8, 3, 20
BARE_STEPS = 30
EVENTS = 60  # GRU calls and steps that are written down


@dataclass(frozen=True)
class Call:
    """A call of a GRU: its sizes, its input (B, W, C), and what gets a gradient."""

    inputs: int
    hidden: int
    shape: tuple[int, ...]
    weights_learn: bool
    input_learns: bool
    graph: bool


@dataclass
class Watched:
    """A training: processor time of every step by optimiser, and what happened at first, calls and steps in order."""

    times: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    sizes: dict[int, int] = field(default_factory=dict)
    events: list[Call | int] = field(default_factory=list)

    @property
    def network(self) -> int:
        """The optimiser of the network itself, which has the most to train."""
        return max(self.sizes, key=self.sizes.__getitem__)

    @property
    def step_s(self) -> float:
        """Median processor time of a step."""
        times = self.times[self.network]
        return median(after - before for before, after in itertools.pairwise(times))

    @property
    def calls(self) -> list[Call]:
        """The GRU calls of the largest step."""
        ends = [number for number, event in enumerate(self.events) if event == self.network]
        steps = [
            [event for event in self.events[before + 1 : after] if isinstance(event, Call)]
            for before, after in itertools.pairwise(ends)
        ]
        return max(steps, key=lambda calls: sum(call.shape[0] for call in calls))

    def stepped(self, optimiser: Any, *_: Any) -> None:
        """After a step of any optimiser."""
        key = id(optimiser)
        self.sizes[key] = sum(p.numel() for group in optimiser.param_groups for p in group["params"])
        self.times[key].append(time.process_time())
        if len(self.events) < EVENTS:
            self.events.append(key)

    def called(self, module: Any, arguments: Any) -> None:
        """Before a call of any module."""
        import torch

        if isinstance(module, torch.nn.GRU) and len(self.events) < EVENTS:
            x = arguments[0]
            learns = any(p.requires_grad for p in module.parameters())
            graph = torch.is_grad_enabled()
            self.events.append(
                Call(module.input_size, module.hidden_size, tuple(x.shape), learns, x.requires_grad, graph)
            )


def watch(train: Any) -> Watched:
    """Runs a training and watches it."""
    from torch.nn.modules.module import register_module_forward_pre_hook
    from torch.optim.optimizer import register_optimizer_step_post_hook

    watched = Watched()
    hooks = [register_optimizer_step_post_hook(watched.stepped), register_module_forward_pre_hook(watched.called)]
    try:
        train()
    finally:
        for hook in hooks:
            hook.remove()
    return watched


def bare_step_s(calls: list[Call]) -> float:
    """Median processor time of a step that does these calls and nothing else."""
    import torch

    made = []
    for call in calls:
        gru = torch.nn.GRU(call.inputs, call.hidden, batch_first=True, bidirectional=True)
        head = torch.nn.Linear(2 * call.hidden, 1)
        made.append((call, gru.requires_grad_(call.weights_learn), head, torch.randn(call.shape)))
    learning = [p for _, gru, _, _ in made for p in gru.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(learning)
    times = []
    for _ in range(BARE_STEPS):
        start = time.process_time()
        optimiser.zero_grad()
        loss = torch.zeros(())
        for call, gru, head, x in made:
            with torch.set_grad_enabled(call.graph):
                output = gru(x.requires_grad_(call.input_learns))[0]
            if output.requires_grad:
                loss = loss + head(output).square().mean()
        loss.backward()
        optimiser.step()
        times.append(time.process_time() - start)
    return median(times)


def measure(reps: int) -> dict[str, float]:
    """Samples/s and ratio of each network; processor time of a table and the share of each stage; peak memory [MB]."""
    import torch

    from real2sim import stages
    from real2sim.rows import TABLE, models_of, row_named
    from real2sim.run import Config, Run
    from real2sim.simulation import make_stand_ins

    torch.set_num_threads(1)
    figures: dict[str, float] = {}
    spent: dict[str, float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as scratch:
        real = str(Path(scratch, "stand-in"))
        make_stand_ins(Path(real), people=PEOPLE, seed=0, jobs=1, progress=False)
        parties = {"subjects": tuple(range(1, PEOPLE - TESTED + 1)), "test": real}
        tested = tuple(range(PEOPLE - TESTED + 1, PEOPLE + 1))
        own = Config(real=real, **parties, test_subjects=tested, reps=reps, labels=LABELS, seeds=1, stand_in=True)
        run = Run.start(Path(scratch, "run"), own)
        models = models_of(TABLE)
        rows = [row_named(name) for name in TABLE]

        def timed(stage: str, do: Any, *arguments: Any, **options: Any) -> Any:
            start = _processor_s()
            result = do(*arguments, **options)
            took = _processor_s() - start
            spent[stage] += took
            print(f"{stage} {took:.0f} s, {sum(spent.values()) / 60:.1f} min in all", file=sys.stderr, flush=True)
            return result

        timed("check", stages.check_parties, run)
        run.save()
        timed("simulate", stages.simulate, run, models.values(), jobs=1, progress=False)
        for name in models:
            watched = timed("train", watch, lambda name=name: stages.train(run, name, 0, None))
            if name in NETWORKS:
                figures |= {f"{name}_{key}": value for key, value in _speed(run, watched).items()}
        for name in dict.fromkeys(row.converter.name for row in rows if row.converter):
            timed("convert", stages.convert, run, name, 0, None)
        for name in TABLE:
            timed("evaluate", stages.predict, run, name, 0, None)
        timed("evaluate", stages.evaluate, run, TABLE)
    total = sum(spent.values())
    shares = {f"{stage}_share": value / total for stage, value in spent.items()}
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return figures | {"table_processor_minutes": total / 60, **shares, "peak_memory_mb": peak / 1024}


def _speed(run: Any, watched: Watched) -> dict[str, float]:
    samples = max(call.shape[0] * call.shape[1] for call in watched.calls)
    own, bare = watched.step_s, bare_step_s(watched.calls)
    return {"samples_a_s": samples / own, "bare_samples_a_s": samples / bare, "ratio": bare / own}


def _processor_s() -> float:
    """Processor time of this process, of those that it has ended and of those that it has running [s]."""
    import psutil

    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    running = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return sum(one.ru_utime + one.ru_stime for one in used) + sum(one.user + one.system for one in running)
