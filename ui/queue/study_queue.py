"""Studies at work: one after the other in one thread, queued on disk, the same for everybody."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import promptlab as pl
from promptlab.errors import Cancelled
from promptlab.events import Phase
from promptlab.study import StudyPolicy, shipped_studies

from .job import Spec, StudyJob, saved_state, sort_age, spec_yaml, state_record
from .queue_folder import QueueFolder, study_folder

QUEUE = ".queue"
_PATIENCE = 10.0
"""Seconds that closing waits for the work to reach the end of its block."""
_STAND_BY = 1.0
"""Seconds between two looks whether the server that runs the queue has ended."""


class StudyQueue:
    """Runs the studies that are submitted, one after the other, with the shared models.

    States of a study: *queued*, *running*, *pausing*, *paused*, *stopping* (all of them here),
    *running elsewhere* (another process has its folder), *interrupted* (whoever ran it is gone),
    *stopped* (as asked), *failed*, *decided*, *unreadable*. Safe to be used by several threads.

    One server runs the queue of a folder. Another one reads it all, refuses to start anything, and
    takes over when the first has ended.
    """

    def __init__(
        self, runs: Path, load_model: Callable[..., pl.LanguageModel], policy: StudyPolicy
    ) -> None:
        """A queue beside the studies' folders in ``runs``.

        ``load_model`` takes a name on offer, a device and a dtype; ``policy`` is what submitted
        studies may name.
        """
        self._runs = runs
        self._load_model = load_model
        self._policy = policy
        self._folder = QueueFolder(runs / QUEUE)
        self._changed = threading.Condition()
        self._waiting: list[StudyJob] = []
        self._running: StudyJob | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take up the queue that an earlier server left, or stand by while another one runs it.

        What cannot be read is told as failed.
        """
        with self._changed, suppress(OSError):  # whoever starts a study is told, then
            if not self._hold():
                threading.Thread(target=self._stand_by, name="standing by", daemon=True).start()

    def submit(self, study: str | Spec, *, name: str | None = None) -> str:
        """Queue a study, given as YAML text or as a spec, under ``name`` or its own; its name.

        It starts at once when nothing else runs. Raises `InputError` when it cannot be read, when
        it names what a browser may not (``policy``), and when its name is taken.
        """
        text = study if isinstance(study, str) else spec_yaml(study)
        spec = pl.load_spec(text, source="the study", policy=self._policy)
        if name:
            spec = pl.load_spec(spec.document() | {"study": name}, source="the study")
        return self._add(spec)

    def submit_shipped(
        self, study: str, *, name: str | None = None, changes: Mapping[str, Any] | None = None
    ) -> str:
        """Queue a study that comes with promptlab; its name, by default a free one like its own.

        ``changes`` replace values by dotted keys, such as ``budget.trials`` or ``model.name``.
        """
        shipped = shipped_studies()
        if study not in shipped:
            raise pl.InputError(f"no shipped study {study!r}; there are {', '.join(shipped)}")
        given = {key: value for key, value in (changes or {}).items() if value not in (None, "")}
        spec = pl.load_spec(shipped[study], given | {"study": name or self.free_name(study)})
        if spec.model.name not in self._policy.models:
            raise pl.InputError(
                f"{study} asks for the model {spec.model.name}, which is not on offer here; choose "
                f"one of {', '.join(self._policy.models)}"
            )
        return self._add(spec)

    def free_name(self, name: str) -> str:
        """``name``, or with the smallest number behind it that makes it new."""
        with self._changed:
            taken = {job.name for job in self._jobs()} | set(self._folder.failures())
            taken |= set(self._waiting_elsewhere())
            number, free = 1, name
            while free in taken or (self._runs / free).exists():
                number += 1
                free = f"{name}-{number}"
            return free

    def pause(self, name: str) -> None:
        """Let a running study wait at its next block or step."""
        with self._changed:
            job = self._at_work(name)
            if not job.cancellation.paused:
                job.cancellation.pause()
                job.events.emit(Phase("paused"))

    def resume(self, name: str) -> None:
        """Let a paused study go on; queue one that was interrupted, stopped or has failed."""
        with self._changed:
            if self._running is not None and self._running.name == name:
                if self._running.cancellation.paused:
                    self._running.events.emit(Phase("going on"))
                    self._running.cancellation.resume()
                return
            failed = self._folder.failures().get(name)
            if (self._runs / name / "study.yaml").is_file():
                self._add(
                    pl.load_spec(study_folder(self._runs, name) / "study.yaml", {"study": name})
                )
            elif failed is not None:
                self.submit(str(failed["study"]), name=name)
            else:
                raise pl.InputError(f"there is no study {name!r} to go on with")

    def cancel(self, name: str) -> None:
        """Stop a study: at its next block, what is finished stays; a queued one leaves the queue.

        Of one that has failed before it began, what was kept of it is removed.
        """
        with self._changed:
            if self._running is not None and self._running.name == name:
                self._running.cancellation.request()
                return
            for job in self._waiting:
                if job.name == name:
                    self._waiting.remove(job)
                    job.file.unlink(missing_ok=True)
                    return
            if name in self._waiting_elsewhere():
                raise self._another_server()
            if name not in self._folder.failures():
                raise pl.InputError(f"the study {name!r} neither runs nor waits here")
            self._folder.forget(name)

    def state(self, name: str) -> dict[str, Any]:
        """``state``, ``position`` in the queue (from 1) and a failure's ``message``."""
        with self._changed:
            if self._running is not None and self._running.name == name:
                return state_record(self._running.state)
            for position, job in enumerate(self._waiting, 1):
                if job.name == name:
                    return state_record("queued", position=position)
            elsewhere = self._waiting_elsewhere()
            if name in elsewhere:
                return state_record("queued", position=elsewhere.index(name) + 1)
            failed = self._folder.failures().get(name)
        if failed is not None:
            return state_record("failed", message=str(failed["message"]))
        folder = study_folder(self._runs, name)
        try:
            return saved_state(pl.Study(folder).progress())
        except pl.PromptlabError as problem:
            return state_record("unreadable", message=str(problem))

    def progress(self, name: str) -> dict[str, Any]:
        """`promptlab.Study.progress` of a study, with this server's view of its state."""
        state = self.state(name)
        try:
            found: dict[str, Any] = pl.Study(study_folder(self._runs, name)).progress()
        except pl.InputError:  # not begun, or unreadable
            found = {"study": name, "planned": None, "finished": 0, "trials": [], "running": []}
        return found | state

    def rows(self) -> list[dict[str, Any]]:
        """Name and state of every study: what runs first, then the queue, the newest after it."""
        with self._changed:
            mine = [job.name for job in self._jobs()] + self._waiting_elsewhere()
            failed = list(self._folder.failures())
        folders = {path.parent.name: path.parent for path in self._runs.glob("*/study.yaml")}
        others = sorted(
            {*folders, *failed} - set(mine), key=lambda name: sort_age(folders.get(name))
        )
        return [{"name": name} | self.state(name) for name in [*mine, *others]]

    def close(self) -> None:
        """Stop the work at its block, end the thread, let go of the queue, which stays on disk.

        It is waited for once only, and not longer than some seconds.
        """
        with self._changed:
            if self._closed:
                return
            self._closed = True
            if self._running is not None:
                self._running.cancellation.request()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(_PATIENCE)
        if thread is None or not thread.is_alive():
            self._folder.release()

    def _hold(self) -> bool:
        """Hold the queue, and take up what waits in it; `False` if another server does."""
        if self._folder.held:
            return True
        if not self._folder.hold():
            return False
        for _, name, file in self._folder.waiting():
            try:
                self._waiting.append(StudyJob(name, pl.load_spec(file, {"study": name}), file))
            except pl.PromptlabError as problem:
                self._folder.fail(name, file.read_text("utf-8", "replace"), str(problem))
                file.unlink(missing_ok=True)
        self._wake()
        return True

    def _stand_by(self) -> None:
        with self._changed:
            while not self._closed and not self._hold():
                self._changed.wait(_STAND_BY)

    def _waiting_elsewhere(self) -> list[str]:
        """Names of what waits for the server that runs the queue, if it is another one."""
        return [] if self._folder.held else [name for _, name, _ in self._folder.waiting()]

    def _another_server(self) -> pl.PromptlabError:
        return pl.InputError(
            f"another server runs the queue of {self._runs}: start and steer studies there, "
            "or stop it, and this one takes over"
        )

    def _jobs(self) -> list[StudyJob]:
        return [*([self._running] if self._running else []), *self._waiting]

    def _at_work(self, name: str) -> StudyJob:
        if self._running is None or self._running.name != name:
            raise pl.InputError(f"the study {name!r} does not run here")
        return self._running

    def _add(self, spec: Spec) -> str:
        """Queue a spec under its name, once."""
        name: str = spec.study
        with self._changed:
            if not self._hold():
                raise self._another_server()
            if any(job.name == name for job in self._jobs()):
                raise pl.InputError(f"the study {name!r} is running or queued already")
            self._refuse_another(name, spec)
            _, file = self._folder.add(name, spec_yaml(spec))
            self._folder.forget(name)
            self._waiting.append(StudyJob(name, spec, file))
            self._wake()
        return name

    def _refuse_another(self, name: str, spec: Spec) -> None:
        folder = self._runs / name
        if not (folder / "study.yaml").is_file():
            return
        if (folder / "leaderboard.json").exists():
            raise pl.InputError(
                f"the study {name!r} is decided; give this one another name, such as "
                f"{self.free_name(name)}"
            )
        known = pl.load_spec(folder / "study.yaml", {"study": name})
        if known.fingerprint != spec.fingerprint:
            raise pl.InputError(
                f"there is a study {name!r} with other settings; give this one another name, such "
                f"as {self.free_name(name)}"
            )

    def _wake(self) -> None:
        """Have a thread for what waits; the lock is held."""
        if self._waiting and not self._closed and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="studies", daemon=True)
            self._thread.start()
            atexit.register(self.close)
        self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                job = self._running = self._waiting.pop(0)
            try:
                self._run(job)
            finally:
                with self._changed:
                    self._running = None
                    self._changed.notify_all()

    def _run(self, job: StudyJob) -> None:
        """One study from its start, or from where it stopped; failures keep their message."""
        try:
            pl.run_study(
                job.spec,
                out=self._runs,
                events=job.events,
                cancellation=job.cancellation,
                model=self._model,
            )
        except Cancelled:
            if self._closed and not job.begun:
                return  # it stays in the queue
        except pl.PromptlabError as problem:
            self._fail(job, str(problem))
        except Exception as problem:  # the thread must live on; the person must know
            self._fail(job, f"{type(problem).__name__}: {problem}")
        job.file.unlink(missing_ok=True)

    def _model(self, section: Any) -> pl.LanguageModel:
        """The one of a study's section, which the other tabs use, too."""
        if section.revision or section.family or section.deterministic or section.endpoint:
            self._load_model(section.name)  # refuses what is not on offer
            model: pl.LanguageModel = section.load()
            return model
        return self._load_model(section.name, section.device, section.dtype)

    def _fail(self, job: StudyJob, message: str) -> None:
        self._folder.fail(job.name, spec_yaml(job.spec), message)
