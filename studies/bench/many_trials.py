"""Studies of many candidates on kept features: what a trial costs beside the network.

``python studies/bench/many_trials.py --trials 100 1000 5000 --json``

Every candidate is a pair of answer words in one of two templates, whose features are computed
before the clock starts. Told are the seconds before the first trial, the milliseconds of processor
time that a trial takes on average among the first and the last hundred (asking comes in batches, so
a median would leave it out), and the seconds of processor time that deciding, the report, and
showing the study take.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import promptlab as pl
from promptlab.events import (
    Event,
    Events,
    Phase,
    StudyFinished,
    StudyStarted,
    TrialAsked,
    TrialFinished,
)
from promptlab.models.base import LanguageModel
from promptlab.studies.bench.material import sst2_examples
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec

_TEMPLATES = ("{text} It was {mask}", "{text} All in all, it was {mask}")
_WARM = 10  # trials that are not timed: libraries are imported in them
_SHOWN = 100


class Clock:
    """When a study's trials were asked for and told, and when it was decided."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()
        self.first = self.reported = self.ended = 0.0
        self.told: list[float] = []
        self.used: list[float] = []

    def __call__(self, event: Event) -> None:
        """Take the time of an event."""
        now = time.perf_counter()
        if isinstance(event, StudyStarted):
            self.begun = min(self.begun, now)
        elif isinstance(event, TrialAsked) and not self.first:
            self.first = now
        elif isinstance(event, TrialFinished):
            self.told.append(now)
            self.used.append(time.process_time())
        elif isinstance(event, Phase) and event.name == "report":
            self.reported = time.process_time()
        elif isinstance(event, StudyFinished):
            self.ended = time.process_time()

    def facts(self, trials: int) -> dict[str, float]:
        """The figures of a study that is over."""
        head, tail = self.used[_WARM : _WARM + _SHOWN + 1], self.used[-_SHOWN - 1 :]
        return {
            "trials": trials,
            "seconds_before_the_first": self.first - self.begun,
            "ms_a_trial": _step(self.used[_WARM:]),
            "ms_a_trial_at_first": _step(head),
            "ms_a_trial_at_last": _step(tail),
            "seconds_a_trial_on_the_wall": (self.told[-1] - self.told[0]) / (len(self.told) - 1),
            "seconds_to_decide": self.reported - self.used[-1],
            "seconds_to_report": self.ended - self.reported,
        }


def _step(times: Sequence[float]) -> float:
    """The mean milliseconds from one time to the next."""
    return 1000 * (times[-1] - times[0]) / (len(times) - 1)


def answer_words(model: LanguageModel, count: int) -> list[str]:
    """Words that are one token each for the model, so that features are all that is needed."""
    fills = model.fill([pl.Template(_TEMPLATES[0]).render(pl.Example("", {"text": "So."}))], 3000)
    words = [fill.token.strip() for fill in fills[0]]
    plain = [word for word in dict.fromkeys(words) if word.isalpha() and word.islower()]
    return plain[:count]


def spec_of(trials: int, data: Path, words: Sequence[str], examples: int) -> StudySpec:
    """A study of so many candidates: both templates with every pair of words."""
    pairs = itertools.islice(itertools.permutations(words, 2), -(-trials // len(_TEMPLATES)))
    document = {
        "study": f"many-{trials}",
        "task": {"data": str(data), "train": 20, "dev": examples, "test": examples},
        "candidates": [
            {
                "kind": "template",
                "templates": list(_TEMPLATES),
                "verbalizers": [{"negative": a, "positive": b} for a, b in pairs],
            }
        ],
        "sampler": "exhaustive",
        "budget": {"trials": trials},
    }
    spec = load_spec(document, source="many_trials")
    assert isinstance(spec, StudySpec)
    return spec


def write_examples(path: Path, count: int) -> Path:
    """Sentences of SST-2 as a CSV."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows([one.fields["text"], one.label] for one in sst2_examples(count, 13))
    return path


def measure(trials: int, folder: Path, model: LanguageModel, examples: int) -> dict[str, float]:
    """The figures of one study, whose features are there before it begins."""
    data = write_examples(folder / "sentences.csv", 20 + 2 * examples + 20)
    words = answer_words(model, 80)
    warm = spec_of(2, data, words, examples).model_copy(update={"study": f"warm-{trials}"})
    StudyRun(warm, out=folder, model=model).run()
    clock = Clock()
    spec = spec_of(trials, data, words, examples)
    StudyRun(spec, out=folder, model=model, events=Events(clock)).run()
    found = clock.facts(trials)
    begun = time.process_time()
    pl.Study(folder / spec.study).progress()
    found["seconds_to_show"] = time.process_time() - begun
    found["megabytes_stored"] = (folder / spec.study / "study.db").stat().st_size / 1e6
    return found


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 500, 1000, 5000])
    parser.add_argument("--examples", type=int, default=40)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = pl.load_model(options.model, device="cpu", dtype="float32")
    rows: list[dict[str, Any]] = []
    for trials in options.trials:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(trials, Path(folder), model, options.examples))
        if not options.json:
            print("  ".join(f"{name} {value:.4g}" for name, value in rows[-1].items()), flush=True)
    if options.json:
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
