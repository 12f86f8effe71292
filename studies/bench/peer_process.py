"""The other end of `openprompt_peer`: starts it in its environment and asks it to score."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from promptlab.errors import WorkError
from promptlab.studies.bench.environment import openprompt_python
from promptlab.studies.bench.old_format import write_old_format

_PROGRAM = Path(__file__).with_name("openprompt_peer.py")


@dataclass(frozen=True)
class PeerScores:
    """What the peer found: nats ``[example][label]``, its seconds, its token ids a prompt."""

    log_probabilities: list[list[float]]
    seconds: float
    forward_seconds: float
    token_ids: list[list[int]]


class OpenPromptPeer:
    """OpenPrompt 1.0.1 with one model, in its own process and environment.

    ``model`` and ``tokenizer`` are transformers objects of this environment; they are written to
    a temporary folder in the older format. Use as a context manager. Raises ``WorkError`` when
    the environment cannot be built or the peer fails.
    """

    def __init__(self, model: Any, tokenizer: Any, *, masked: bool, threads: int) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="promptlab-peer-")
        folder = Path(self._temporary.name)
        self._log = (folder / "stderr.log").open("w+", encoding="utf-8")
        self._process: subprocess.Popen[str] | None = None
        try:
            python = openprompt_python()
            write_old_format(model, tokenizer, folder / "model")
            self._process = subprocess.Popen(
                [str(python), str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                encoding="utf-8",
                cwd=folder,
            )
            request = {"folder": str(folder / "model"), "masked": masked, "threads": threads}
            self.versions: dict[str, str] = self._ask("load", request)["versions"]
        except BaseException:
            self.close()
            raise

    def score(
        self,
        texts: Sequence[str],
        template: str,
        label_words: Mapping[str, str],
        *,
        max_tokens: int,
        batch_size: int = 16,
    ) -> PeerScores:
        """Label log-probabilities of ``texts`` in OpenPrompt's template, timed there once."""
        answer = self._ask(
            "score",
            {
                "texts": list(texts),
                "template": template,
                "label_words": dict(label_words),
                "max_tokens": max_tokens,
                "batch_size": batch_size,
                "repeats": 1,
            },
        )
        return PeerScores(
            log_probabilities=answer["log_probabilities"],
            seconds=answer["seconds"][0],
            forward_seconds=answer["forward_seconds"][0],
            token_ids=answer["token_ids"],
        )

    def _ask(self, verb: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """One request and its answer."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise WorkError("OpenPrompt's process has been closed")
        try:
            process.stdin.write(json.dumps({"op": verb, **request}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkError(f"OpenPrompt's process ended while asked to {verb}:\n{self._tail()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkError(f"OpenPrompt could not {verb}: {answer['error']}\n{self._tail()}")
        return answer

    def _tail(self) -> str:
        """The last lines that the process wrote to standard error."""
        self._log.seek(0)
        return "\n".join(self._log.read().splitlines()[-6:])

    def close(self) -> None:
        """End the process and remove its files."""
        if self._process is not None:
            if self._process.stdin is not None:
                self._process.stdin.close()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None
        self._log.close()
        self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
