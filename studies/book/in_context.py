"""What solved examples do to one answer: the capital of Canada after none, one and two of them.

``python -m promptlab.studies.book.in_context`` prints how likely a causal and a masked model find
*Ottawa* in "The capital of Canada is ...", without a demonstration, after one (France), after two
(Thailand before it), and with the second one *behind* the question: the textbook's four prompts. A
causal model does not see what stands behind its slot; a masked one does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

import promptlab as pl
from promptlab.cli.output import print_json, print_listing
from promptlab.models import rank_answer

MODELS = ("smollm2-135m", "bert-tiny")
SENTENCE = "The capital of {} is {}."
SHOWN = ("no demonstration", "one before", "two before", "one before, one behind the question")
"""The four prompts of the textbook's table."""


@dataclass(frozen=True)
class Line:
    """One prompt: how likely the right answer is in it.

    ``probability`` is that of the answer in the slot among everything the model could say there,
    given what the model sees; ``sees_all`` is false where a demonstration stands behind the slot
    of a causal model. ``share`` is what the answer has of the probability of all the capitals,
    the whole filled prompt counted, and ``rank`` its place among them, led by ``leader``.
    """

    demonstrations: str
    prompt: str
    probability: float
    sees_all: bool
    share: float
    rank: int
    leader: str


def lines(
    model: pl.LanguageModel,
    country: str = "Canada",
    first: str = "France",
    second: str = "Thailand",
) -> list[Line]:
    """The four prompts with the capitals of the data set *capitals* for candidates.

    Raises `InputError` for a country that the data set lacks, or that is named twice.
    """
    known = {
        example.fields["country"]: str(example.label)
        for split in pl.load_task("capitals").splits.values()
        for example in split
    }
    for name in (country, first, second):
        if name not in known:
            raise pl.InputError(f"{name!r} is no country of the data set capitals")
    if len({country, first, second}) < 3:
        raise pl.InputError("the country asked for and the two shown must be three")
    one, other = (SENTENCE.format(name, known[name]) for name in (first, second))
    asked = SENTENCE.format(country, "{mask}")
    texts = [asked, f"{one} {asked}", f"{other} {one} {asked}", f"{one} {asked} {other}"]
    prompts = [pl.Template(text).render({}) for text in texts]
    capitals = sorted(set(known.values()))
    logs = model.score(prompts, capitals).logprobs
    right = capitals.index(known[country])
    return [
        _line(name, prompt, standing.probability, row, right, capitals, model.family)
        for name, prompt, standing, row in zip(
            SHOWN, prompts, rank_answer(model, prompts, known[country]), logs, strict=True
        )
    ]


def _line(
    name: str,
    prompt: pl.Prompt,
    probability: float,
    logs: np.ndarray,
    right: int,
    capitals: Sequence[str],
    family: str,
) -> Line:
    shares = np.exp(logs - np.logaddexp.reduce(logs))
    return Line(
        name,
        str(prompt),
        probability,
        family != "causal" or not prompt.right.strip(" ."),
        float(shares[right]),
        1 + int((logs > logs[right]).sum()),
        capitals[int(logs.argmax())],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table a model, or with ``--json`` one document; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", action="append", help="a pinned model, folder or id; repeatable")
    parser.add_argument("--country", default="Canada", help="the country that is asked for")
    parser.add_argument("--first", default="France", help="the first one shown")
    parser.add_argument("--second", default="Thailand", help="the second one shown")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args(arguments)
    found: dict[str, list[Line]] = {}
    try:
        for name in given.model or MODELS:
            found[name] = lines(pl.load_model(name), given.country, given.first, given.second)
    except pl.PromptlabError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if given.json:
        models = [
            {"model": name, "lines": [asdict(line) for line in rows]}
            for name, rows in found.items()
        ]
        print_json({"country": given.country, "models": models})
        return 0
    for name, rows in found.items():
        print(f"{name}\n")
        _print(rows)
        print()
    return 0


def _print(rows: Sequence[Line]) -> None:
    print_listing(
        ("demonstrations", "P(answer)", "among capitals", "rank", "first"),
        [
            (
                line.demonstrations,
                f"{line.probability:.3f}" + ("" if line.sees_all else " (not seen)"),
                f"{line.share:.3f}",
                line.rank,
                line.leader,
            )
            for line in rows
        ],
        numbers=("P(answer)", "among capitals", "rank"),
    )


if __name__ == "__main__":
    sys.exit(main())
