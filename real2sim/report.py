"""The report of a run: one self-contained HTML file for people who have not read the paper."""

import base64
import io
import json
from dataclasses import asdict
from importlib import resources

import jinja2
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from generators.store import Dataset
from real2sim import evidence, pictures, stages
from real2sim.evaluation import Result
from real2sim.material import place
from real2sim.methods.questions import WAYS
from real2sim.networks import load_network
from real2sim.rows import OURS, UNLABELLED, budget_of, model_named, row_named
from real2sim.run import Run, write_text
from real2sim.sequences import Sequence

USES = {
    "nothing": "nothing",
    "recordings": "recordings without labels",
    "all labels": "all labels",
}
FEW_PEOPLE = 10
FEW_TRAININGS = 3
WIDE_INTERVAL = 0.15
READABLE = 15.0  # points above chance on the simulation itself from which a question counts as readable (assumed)
LEAKING = 0.65  # balanced accuracy of a linear probe above which the style is said to tell the phase (assumed)
COLOURS = {"simulated": "#1c2024", "one-encoder": "#d9822b", "two-encoder": "#2b6cb0"}
matplotlib.use("Agg")


def write_report(run: Run) -> None:
    """Writes `report.html` of an evaluated run.

    Raises:
        RunError: The run has not been evaluated.
    """
    results = run.results()
    table = json.loads(run.table.read_text())
    questions = json.loads(run.questions.read_text()) if run.questions.exists() else []
    seed, fold = run.seeds[0], run.folds[0]
    rows = {row.row for row in results}
    dataset = Dataset(run.simulation("randomised")) if run.simulation("randomised").exists() else None
    figures = {"table": _picture(draw_table(results))}
    curve = pictures.label_curve(results, run.config.labels)
    if curve:
        alone = next((row for row in results if row.row == "randomised"), None)
        figures["curve"] = _picture(pictures.draw_label_curve(curve, alone))
    found = None
    reconstruction = None
    if {"one-encoder", OURS} <= rows:
        windows, one, two = stages.example(run, seed)
        simulated = np.where(windows.present[0], windows.values[0], np.nan)
        errors = [float(((output - windows.values) ** 2)[windows.present].mean()) for output in (one, two)]
        reconstruction = {"windows": len(windows), "one": f"{errors[0]:.3f}", "two": f"{errors[1]:.3f}"}
        figures["reconstruction"] = _picture(draw_reconstruction(windows.channels, simulated, one[0], two[0]))
    sequence = stages.unseen_sequences(run, fold)[0]
    if {"randomised", OURS} <= rows:
        figures["conversion"] = _picture(_draw_conversion(run, sequence, seed, fold))
        trained = load_network(place(run, model_named(OURS), seed, fold))[2]["curve"]
        figures["mine"] = _picture(draw_training(trained))
        if (course := _draw_errors(run)) is not None:
            figures["errors"] = _picture(course)
        found, drawn = _evidence(run, seed, fold)
        figures |= drawn
    if dataset is not None:
        figures["repetition"] = _picture(pictures.draw_repetition(dataset, 0))
        figures["draws"] = _picture(pictures.draw_draws(dataset))
    page = _template().render(
        title="Real2Sim on stand-in recordings" if run.config.stand_in else "Real2Sim on recordings of people",
        subtitle=_subtitle(run, table),
        channels=", ".join(run.groups()),
        warnings=[*_warnings(run, results, table), *_weak_evidence(found, questions)],
        questions=[_question(item) for item in questions],
        evidence=found and {name: f"{value:.2f}" for name, value in found["leaks"].items()},
        told=found and {name: f"{100 * value:.0f}" for name, value in found["told_apart"].items()},
        rows=[_row(row, run.config.labels) for row in results],
        differences=[_difference(item) for item in table["differences"]],
        seeds=run.config.seeds,
        people=len(table["people"]["test"]),
        reconstruction=reconstruction,
        recording=f"{'Stand-in' if run.config.stand_in else 'Recording'} {sequence.name}",
        repetitions=0 if dataset is None else len(dataset),
        digest="" if dataset is None else dataset.digest[:12],
        figures=figures,
        command=f"Configuration: {json.dumps(asdict(run.config))}",
    )
    write_text(run.report, page)


def _evidence(run: Run, seed: int, fold: int | None) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """What conversion did, by the first training, as figures (kept in the run) and as pictures."""
    domains = evidence.domains(run, seed, fold)
    found = {
        "leaks": evidence.leaks(domains.network, domains.simulated, seed),
        "told_apart": evidence.distances(domains, seed),
    }
    write_text(run.evidence, json.dumps(found, indent=1))
    channels = {"accelerometer": "accel", "gyroscope": "gyro", "range": "range"}
    windows = {"simulated": domains.simulated, "real": domains.real, "converted": domains.converted_real}
    spectra = {
        kind: {
            name: evidence.spectrum(some, domains.statistics, [c for c in some.channels if word in c])
            for name, some in windows.items()
        }
        for kind, word in channels.items()
        if any(word in channel for channel in domains.simulated.channels)
    }
    return found, {
        "told_apart": _picture(pictures.draw_distances(found["told_apart"])),
        "spectra": _picture(pictures.draw_spectra(spectra, run.config.rate_hz)),
        "latents": _picture(pictures.draw_latents(evidence.latents(domains))),
    }


def _draw_errors(run: Run) -> Figure | None:
    """Where in a repetition the recordings as they are and converted are read wrongly, over all folds and seeds.

    None where no repetition of the recordings is numbered.
    """
    parts = [(seed, fold) for seed in run.seeds for fold in run.folds]
    sequences = [sequence for _, fold in parts for sequence in stages.unseen_sequences(run, fold)]
    errors, down = {}, np.zeros(0)
    for name, row in _READINGS.items():
        predicted = [
            p for seed in run.seeds for fold in run.folds for p in stages.read_predictions(run, row, seed, fold)
        ]
        errors[name], down = evidence.errors_over_repetition(sequences, predicted)
    return pictures.draw_errors(errors, down) if np.isfinite(down).any() else None


def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(resources.files("real2sim").joinpath("report.html.j2").read_text(encoding="utf-8"))


def _subtitle(run: Run, table: dict) -> str:
    kind = "stand-in recordings (simulated, not real)" if run.config.stand_in else "recordings"
    adapt, test = (", ".join(map(str, table["people"][party])) for party in ("adapt", "test"))
    labels = f"{run.config.labels} labelled repetitions"
    if run.config.folds:
        return f"People {test} in {run.config.folds} folds: each is tested once, with {labels} of {kind} of others."
    return f"Adapted with {kind} of people {adapt}, {labels}; tested on people {test}."


def _warnings(run: Run, results: list[Result], table: dict) -> list[str]:
    rows = {row.row: row for row in results}
    warnings = []
    if run.config.stand_in:
        warnings.append("The recordings are stand-ins: another simulation. Nothing here is a claim about people.")
    if len(results[0].people) < FEW_PEOPLE:
        warnings.append(f"Only {len(results[0].people)} people were tested; the intervals say little about others.")
    if run.config.seeds < FEW_TRAININGS:
        warnings.append(f"Every row has {run.config.seeds} of {FEW_TRAININGS} trainings or more that a claim needs.")
    if (ours := rows.get(OURS)) and ours.interval[1] - ours.interval[0] > WIDE_INTERVAL:
        warnings.append("The interval of the two-encoder row is wider than 15 points.")
    against = {(item["better"], item["worse"]): item for item in table["differences"]}
    for better, worse, what in (
        (OURS, "fine-tuned", "Conversion is not surely better here than fine-tuning the recogniser on the same labels"),
        (OURS, "randomised", "Conversion is not surely better here than the randomised simulation alone"),
        (UNLABELLED, "coral", "Without labels, conversion is not surely better here than CORAL"),
        (UNLABELLED, "dann", "Without labels, conversion is not surely better here than DANN"),
    ):
        if (better, worse) in against and against[better, worse]["interval"][0] <= 0:
            gain = _difference(against[better, worse])
            warnings.append(f"{what}: {gain['value']} points ({gain['interval']}).")
    return warnings


def _weak_evidence(found: dict[str, dict[str, float]] | None, questions: list[dict]) -> list[str]:
    warnings = []
    if found and found["leaks"]["style_probe"] > LEAKING:
        percent = 100 * found["leaks"]["style_probe"]
        warnings.append(
            f"The style of a window still tells its phase ({percent:.0f} % by a linear probe; 50 is by chance)."
        )
    for item in questions:
        raw = next(row for row in item["rows"] if row["way"] == "raw")
        best = max(row["on_simulation"] for row in item["rows"])
        if item["chance"] is not None and best < item["chance"] + READABLE:
            warnings.append(
                f"The question of {item['question']} is hardly read from the simulation itself ({best:.0f} %; "
                f"{item['chance']:.0f} is by chance): these devices do not tell it."
            )
        if raw["conversion_better_by_interval"][0] <= 0:
            warnings.append(f"For the question of {item['question']}, conversion is not surely better than none.")
    return warnings


def _question(item: dict) -> dict:
    rows = [
        {
            "way": row["way"],
            "meaning": WAYS[row["way"]],
            "value": f"{row['value']:.1f}",
            "interval": "{:.1f} to {:.1f}".format(*row["interval"]),
            "on_simulation": f"{row['on_simulation']:.1f}",
            "gain": "" if row["way"] == "converted" else f"{row['conversion_better_by']:+.1f}",
            "gained": ""
            if row["way"] == "converted"
            else "{:.1f} to {:.1f}".format(*row["conversion_better_by_interval"]),
        }
        for row in item["rows"]
    ]
    return {"name": item["question"], "measure": item["measure"], "rows": rows}


def _row(result: Result, budget: int) -> dict:
    plan = row_named(result.row)
    uses = _labels(budget_of(result.row, budget)) if plan.uses == "labels" else USES[plan.uses]
    return {
        "name": result.row,
        "accuracy": f"{100 * result.accuracy:.1f}",
        "interval": _span(result.interval),
        "balanced": f"{100 * result.balanced_accuracy:.1f}",
        "f1": f"{100 * result.macro_f1:.1f}",
        "paper": "" if plan.paper is None else f"{100 * plan.paper:.1f}",
        "simulation": result.simulation or "none",
        "uses": uses,
        "meaning": f"{plan.meaning} ({uses})" if "@" in result.row else plan.meaning,
    }


def _labels(labels: str) -> str:
    return USES["recordings"] if labels == "0" else f"labels of {labels} repetitions"


def _difference(item: dict) -> dict:
    low, high = item["interval"]
    reading = "better" if low > 0 else "worse" if high < 0 else "no difference beyond people and seeds"
    return {
        "better": item["better"],
        "worse": item["worse"],
        "value": f"{100 * item['value']:+.1f}",
        "interval": _span(item["interval"]),
        "reading": reading,
    }


def _span(interval: tuple[float, float]) -> str:
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"


def _picture(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def draw_table(results: list[Result]) -> Figure:
    """Accuracy of each row with its interval, the paper's figure as a cross."""
    figure = Figure(figsize=(8, 0.5 * len(results) + 0.9))
    axes = figure.subplots()
    for k, row in enumerate(results):
        colour = COLOURS["two-encoder"] if row.row == "two-encoder" else "#9aa5b1"
        low, high = (100 * bound for bound in row.interval)
        axes.barh(k, 100 * row.accuracy, color=colour, height=0.6)
        axes.plot([low, high], [k, k], color="#1c2024", lw=1.5)
        paper = row_named(row.row).paper
        if paper is not None:
            axes.plot(100 * paper, k, "x", color="#c53030")
    axes.set(yticks=range(len(results)), yticklabels=[row.row for row in results], xlim=(0, 100), xlabel="accuracy [%]")
    axes.axvline(50, color="#888", ls=":", lw=1)
    axes.invert_yaxis()
    return figure


def draw_reconstruction(channels: tuple[str, ...], truth: np.ndarray, one: np.ndarray, two: np.ndarray) -> Figure:
    """A simulated window (W, C), NaN where missing, and both reconstructions; normalised channels."""
    shown = list(range(min(len(channels), 7)))
    figure = Figure(figsize=(9, 1.15 * len(shown)))
    for axes, k in zip(figure.subplots(len(shown), sharex=True), shown, strict=True):
        axes.plot(truth[:, k], color=COLOURS["simulated"], lw=1.6, label="simulated")
        axes.plot(one[:, k], color=COLOURS["one-encoder"], lw=1.2, label="one encoder")
        axes.plot(two[:, k], color=COLOURS["two-encoder"], lw=1.2, label="two encoders")
        axes.set_ylabel(channels[k].replace("watch_", ""), rotation=0, ha="right", fontsize=8)
        axes.tick_params(labelsize=7)
    figure.axes[0].legend(ncols=3, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
    figure.axes[-1].set_xlabel("sample")
    return figure


def _draw_conversion(run: Run, recording: Sequence, seed: int, fold: int | None) -> Figure:
    """The first half minute of a recording, before and after conversion by the two-encoder model."""
    converted = stages.converted_sequences(run, OURS, seed, fold)[0]
    reading = {name: stages.read_predictions(run, row, seed, fold)[0] for name, row in _READINGS.items()}
    stop = min(len(recording), round(30 * recording.rate_hz))
    time = np.arange(stop) / recording.rate_hz
    figure = Figure(figsize=(9, 6))
    last = len(recording.channels) - 1
    shown = sorted({0, min(4, last), last})
    axes = figure.subplots(len(shown) + 1, sharex=True)
    for row, k in enumerate(shown):
        axes[row].plot(time, recording.values[:stop, k], color=COLOURS["simulated"], lw=1, label="as recorded")
        axes[row].plot(time, converted.values[:stop, k], color=COLOURS["two-encoder"], lw=1, label="converted")
        axes[row].set_ylabel(recording.channels[k], fontsize=8)
    for name, colour in (("as recorded", COLOURS["simulated"]), ("converted", COLOURS["two-encoder"])):
        axes[-1].plot(time, reading[name][:stop], color=colour, lw=1)
    axes[-1].set(ylabel='P("upright")', xlabel="time [s]", ylim=(-0.05, 1.05))
    for panel in axes:
        low, high = panel.get_ylim()
        panel.fill_between(time, low, high, where=recording.phase[:stop] == 0, color="#ddd", lw=0, zorder=0)
        panel.set_ylim(low, high)
    axes[0].legend(ncols=2, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
    return figure


_READINGS = {"as recorded": "randomised", "converted": "two-encoder"}


def draw_training(curve: list[dict[str, float]]) -> Figure:
    """Mutual information and the weights of the latents over the epochs."""
    figure = Figure(figsize=(9, 2.6))
    left, right = figure.subplots(1, 2)
    left.plot([item["mutual_information"] for item in curve], color=COLOURS["two-encoder"])
    left.set(xlabel="epoch", ylabel="I(content; style) [nat]")
    for name in ("content", "style"):
        right.plot([item[f"{name}_weight"] for item in curve], label=name)
    right.set(xlabel="epoch", ylabel="weight in the decoder")
    right.legend(fontsize=8, frameon=False)
    return figure
