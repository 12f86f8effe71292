"""The unmodified OpenPrompt as a process: requests and answers are JSON lines.

Run by the Python of `environment.openprompt_python`; it imports nothing of promptlab. Requests:

``{"op": "load", "folder": ..., "masked": true, "threads": 2}``
    → ``{"versions": {...}}``
``{"op": "score", "texts": [...], "template": ..., "label_words": {...}, "max_tokens": 128,
"batch_size": 16, "repeats": 1}``
    → ``{"log_probabilities": [[...]], "seconds": [...], "forward_seconds": [...],
    "token_ids": [[...]]}``

A failed request is answered by ``{"error": ...}``. The process ends when its input does.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, TextIO


class Scorer:
    """One loaded model, scored by OpenPrompt's own classes."""

    def __init__(self) -> None:
        self.model: Any = None
        self.tokenizer: Any = None
        self.wrapper: Any = None

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Load a folder that this environment's transformers reads, in fp32 on the CPU."""
        import openprompt
        import torch
        import transformers
        from openprompt.plms.lm import LMTokenizerWrapper
        from openprompt.plms.mlm import MLMTokenizerWrapper

        torch.set_num_threads(request["threads"])
        auto: Any = transformers.AutoModelForMaskedLM
        self.wrapper = MLMTokenizerWrapper
        if not request["masked"]:
            auto, self.wrapper = transformers.AutoModelForCausalLM, LMTokenizerWrapper
        self.model = auto.from_pretrained(request["folder"], torch_dtype=torch.float32).eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(
            request["folder"],
            use_fast=False,  # OpenPrompt cannot use the others
        )
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        versions = {m.__name__: m.__version__ for m in (openprompt, torch, transformers)}
        return {"versions": versions, "threads": torch.get_num_threads()}

    def score(self, request: dict[str, Any]) -> dict[str, Any]:
        """Score all texts ``repeats`` times, wrapping and tokenising included."""
        from openprompt import PromptForClassification
        from openprompt.prompts import ManualTemplate, ManualVerbalizer

        words = request["label_words"]
        template = ManualTemplate(tokenizer=self.tokenizer, text=request["template"])
        verbalizer = ManualVerbalizer(self.tokenizer, classes=list(words), label_words=words)
        network = PromptForClassification(
            plm=self.model, template=template, verbalizer=verbalizer
        ).eval()
        seconds, forward_seconds = [], []
        rows: list[list[float]] = []
        ids: list[list[int]] = []
        for _ in range(request["repeats"]):
            start = time.perf_counter()
            rows, ids, forward = self._run(network, template, request)
            seconds.append(time.perf_counter() - start)
            forward_seconds.append(forward)
        return {
            "log_probabilities": rows,
            "seconds": seconds,
            "forward_seconds": forward_seconds,
            "token_ids": ids,
        }

    def _run(
        self, network: Any, template: Any, request: dict[str, Any]
    ) -> tuple[list[list[float]], list[list[int]], float]:
        """One pass over the texts: log-probabilities, token ids without padding, seconds."""
        import torch
        from openprompt import PromptDataLoader
        from openprompt.data_utils import InputExample

        loader = PromptDataLoader(
            dataset=[InputExample(guid=i, text_a=t) for i, t in enumerate(request["texts"])],
            template=template,
            tokenizer=self.tokenizer,
            tokenizer_wrapper_class=self.wrapper,
            max_seq_length=request["max_tokens"],
            batch_size=request["batch_size"],
        )
        rows: list[list[float]] = []
        batches = []
        start = time.perf_counter()
        with torch.inference_mode():
            for batch in loader:
                rows += network(batch).tolist()
                batches.append((batch["input_ids"], batch["attention_mask"]))
        forward = time.perf_counter() - start
        ids = [
            row[: int(mask.sum())].tolist()
            for inputs, masks in batches
            for row, mask in zip(inputs, masks, strict=True)
        ]
        return rows, ids, forward


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer every line of ``requests`` by one line."""
    scorer = Scorer()
    for line in requests:
        try:
            request = json.loads(line)
            answer = {"load": scorer.load, "score": scorer.score}[request["op"]](request)
        except (Exception, SystemExit) as error:  # OpenPrompt exits on a faulty template
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main() -> None:
    """Serve standard input and output; whatever else is printed goes to standard error."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
