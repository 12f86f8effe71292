"""A DSPy program as a predictor: fitted by one of DSPy's optimizers, saved as JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any, Self

from promptlab.data.example import Example
from promptlab.data.inputs import Input, Inputs, as_examples
from promptlab.data.task import Task
from promptlab.errors import InputError, WorkError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.interop.dspy.adapters import AdapterChoice
from promptlab.interop.dspy.engine import dspy_lm
from promptlab.interop.dspy.fit import FitPlan, fit_program
from promptlab.interop.dspy.optimizer import Optimizer
from promptlab.interop.dspy.prediction import ProgramResult
from promptlab.interop.dspy.programs import make_program, plain_state, show_example
from promptlab.interop.dspy.silence import dspy_package, silence_dspy
from promptlab.interop.dspy.task_signature import TaskSignature
from promptlab.interop.dspy.tracing import trace_steps
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.prompts.decoding import Decoding

AT_ONCE = 32
"""So many examples are solved side by side; what they ask at a time is one batch."""


class DspyProgram(Predictor):
    """Runs *predict*, *chain_of_thought* or a ``dspy.Module`` of yours (``package.module:Name``).

    ``form`` says what is asked. The model is spoken to through ``adapter``; ``plan`` says how
    `fit` improves the program: by which of DSPy's optimizers, judged by which metric. A reply
    that the adapter cannot parse has no label and counts as unparsed. Raises `CapabilityError`
    for a model that cannot generate, or cannot score although the adapter does.
    """

    def __init__(
        self,
        form: TaskSignature,
        model: LanguageModel | str,
        *,
        program: str = "predict",
        adapter: AdapterChoice | None = None,
        plan: FitPlan | None = None,
        decoding: Decoding | None = None,
    ) -> None:
        self.form = form
        self.program = program
        self.adapter = adapter or AdapterChoice()
        self.plan = plan or FitPlan()
        self.decoding = decoding or Decoding()
        if self.decoding.stop:
            raise InputError("a DSPy program's fields end its replies; leave stop out")
        self.lm = self._lm(model)
        self.model: LanguageModel = self.lm.engine.model
        if self.adapter.name == "scoring":
            self.model.require("score")
        self.module = make_program(program, form.signature())
        self.learning: dict[str, float] = {"tokens": 0, "seconds": 0.0}
        self._train: list[Example] = []

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that the signature reads."""
        return self.form.fields

    @property
    def learning_tokens(self) -> int:
        """Tokens that the optimizer's calls took."""
        return int(self.learning["tokens"])

    def fit_examples(self, train: Sequence[Example], dev: Sequence[Example]) -> None:
        """Compile the program on labelled examples; optimizers that select do so on ``dev``."""
        started, spent = time.perf_counter(), self.lm.engine.desk.spent
        self._train = self.plan.drawn([e for e in train if e.label is not None])
        fresh = make_program(self.program, self.form.signature())
        self.module, used = fit_program(
            fresh, self.form, self.plan, self._train, list(dev), lm=self.lm, adapter=self.adapter
        )
        self.learning = {
            "tokens": self.lm.engine.desk.spent - spent + used,
            "seconds": time.perf_counter() - started,
        }

    def predict(self, examples: Inputs) -> Predictions:
        """One prediction an example; every prompt and reply is kept in its trace."""
        rows = as_examples(examples, self.fields)
        if not rows:
            return Predictions()
        callers = min(AT_ONCE, len(rows))
        self.lm.engine.desk.expect(callers)
        with silence_dspy(), ThreadPoolExecutor(callers) as pool:
            futures = [pool.submit(copy_context().run, self._solve, row) for row in rows]
            return Predictions([future.result() for future in futures])

    def example_prompt(self, example: Input) -> str:
        """The page that the first of the program's predictors shows for one example."""
        values = as_examples([example], self.fields)[0].fields
        return show_example(self.module, self.adapter, values)

    def settings(self) -> dict[str, Any]:
        """Plain JSON data; the program's instructions and demonstrations are its ``state``."""
        return {
            "form": self.form.settings(),
            "program": self.program,
            "adapter": self.adapter.settings,
            "plan": self.plan.settings,
            "decoding": self.decoding.settings(),
            "state": plain_state(self.module),
            "learning": dict(self.learning),
            "train": [
                {"id": e.id, "fields": dict(e.fields), "label": e.label} for e in self._kept()
            ],
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        made = cls(
            TaskSignature.from_settings(settings["form"]),
            model,
            program=settings["program"],
            adapter=AdapterChoice(**settings["adapter"]),
            plan=FitPlan.from_settings(settings["plan"]),
            decoding=Decoding.from_settings(settings["decoding"]),
        )
        made._train = [Example(**row) for row in settings["train"]]
        if made._train:
            made.module, _ = fit_program(
                made.module, made.form, made.plan, made._train, [], lm=made.lm, adapter=made.adapter
            )
        made.module.load_state(settings["state"])
        made.learning = dict(settings["learning"])
        return made

    def _save_parts(self, folder: Path) -> None:
        """``program.json`` beside it: the state as DSPy saves and loads it."""
        super()._save_parts(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.module.save(str(folder / "program.json"))

    def _kept(self) -> list[Example]:
        """Training examples that a loaded program needs again: those of nearest demonstrations."""
        return self._train if self.plan.optimizer.name == "knn_few_shot" else []

    def _lm(self, model: LanguageModel | str) -> Any:
        """The model for DSPy; the engine remembers, so that DSPy's cache writes nothing."""
        options = {"temperature": self.decoding.temperature, "cache": False, "num_retries": 0}
        for name in ("top_k", "top_p"):
            if (value := getattr(self.decoding, name)) is not None:
                options[name] = value
        return dspy_lm(model, max_tokens=self.decoding.max_tokens, **options)

    def _solve(self, row: Example) -> Prediction:
        dspy = dspy_package()
        values = {name: row.fields[name] for name in self.fields}
        solution = ProgramResult(self.form)
        with (
            dspy.context(lm=self.lm, adapter=self.adapter.make(), trace=None, disable_history=True),
            trace_steps() as trace,
        ):
            try:
                solution.take(self.module(**values))
            except dspy.AdapterParseError as error:
                solution.text = str(error.lm_response)
            except dspy.ContextWindowExceededError as error:
                solution.text = str(error)  # asking again would change nothing: it is unparsed
            except dspy.LMError as error:
                solution.error = str(error)
            except (InputError, WorkError):
                raise
            except Exception as error:
                raise WorkError(
                    f"the program {self.program} failed on example {row.id}: "
                    f"{type(error).__name__}: {error}"
                ) from error
        return solution.prediction(row, trace)


def dspy_program(
    task: Task,
    model: LanguageModel | str,
    *,
    optimizer: str | Mapping[str, Any] = "none",
    instructions: str = "",
    **options: Any,
) -> DspyProgram:
    """A program for a task's fields, labels and metric; ``options`` are those of `DspyProgram`.

    ``optimizer`` is a name, or a mapping of its name and settings.
    """
    plan = FitPlan(Optimizer.of(optimizer), metric=task.metric)
    return DspyProgram(TaskSignature.of(task, instructions), model, **{"plan": plan, **options})
