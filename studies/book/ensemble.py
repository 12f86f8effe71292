"""Four prompts for one fact, and their mean: the capital of Canada.

``python -m promptlab.studies.book.ensemble`` prints by how many points of probability *Ottawa* is
ahead of the most probable other word after each of four prompts, and after their mean, and says how
the mean stands to the best single prompt. The prompts are wordings of our own; one was chosen
because the model gets it wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float

import promptlab as pl
from promptlab.cli.output import print_json, print_listing

PROMPTS = (
    "The capital of Canada is {mask}",
    "Canada is a country in North America. Its capital is {mask}",
    "The capital city of Canada is {mask}",
    "The Parliament of Canada meets in {mask}",
)
ANSWER = "Ottawa"
MEAN = "mean of all"


@dataclass(frozen=True)
class Margin:
    """How far the answer is ahead of the most probable other word, in points of probability.

    It is behind ``runner_up`` where ``points`` is negative; probabilities lie in [0, 1].
    """

    prompt: str
    probability: float
    runner_up: str
    runner_up_probability: float
    points: float


def margins(
    model: pl.LanguageModel, prompts: Sequence[str] = PROMPTS, answer: str = ANSWER
) -> list[Margin]:
    """One line a prompt, then the mean over all words of the vocabulary.

    Raises `InputError` when the answer is no single token of the model.
    """
    rendered = [pl.Template(prompt).render({}) for prompt in prompts]
    found = model.fill(rendered, top=sys.maxsize)
    words: dict[int, str] = {one.token_id: one.token for one in found[0]}
    table = np.zeros((len(prompts), max(words) + 1))
    for row, fills in enumerate(found):
        for one in fills:
            table[row, one.token_id] = one.probability
    own = [token for token, word in words.items() if word.strip() == answer]
    if not own:
        raise pl.InputError(f"{answer!r} is no single token of {model.name}; ask for another word")
    right = max(own, key=lambda token: float(table[:, token].sum()))
    rows = [*table, table.mean(axis=0)]
    return [
        _margin(name, row, right, words) for name, row in zip([*prompts, MEAN], rows, strict=True)
    ]


def _margin(
    name: str,
    row: Float[np.ndarray, " vocab"],
    right: int,
    words: dict[int, str],
) -> Margin:
    others = row.copy()
    others[right] = -1.0
    second = int(others.argmax())
    ahead = 100 * float(row[right] - row[second])
    return Margin(name, float(row[right]), words[second], float(row[second]), ahead)


def comparison(found: Sequence[Margin]) -> str:
    """Say in words how the mean, which comes last, stands to the single prompts."""
    *single, mean = found
    best = max(single, key=lambda line: line.points)
    beaten = sum(mean.points > line.points for line in single)
    if mean.points > best.points:
        told = "better than every single prompt"
    else:
        told = f"not better than the best single prompt ({best.points:+.1f}: {best.prompt!r})"
    return f"The mean ({mean.points:+.1f} points) is {told}; it beats {beaten} of {len(single)}."


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, or with ``--json`` one document; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="smollm2-135m", help="a pinned model, folder or id")
    parser.add_argument("--prompt", action="append", help="prompts of your own with {mask}")
    parser.add_argument("--answer", default=ANSWER, help="the right word")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args(arguments)
    try:
        model = pl.load_model(given.model)
        found = margins(model, tuple(given.prompt or PROMPTS), given.answer)
    except pl.PromptlabError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if given.json:
        rows = [asdict(line) for line in found]
        told = comparison(found)
        document = {"model": model.name, "answer": given.answer, "lines": rows, "comparison": told}
        print_json(document)
        return 0
    print_listing(
        ("prompt", f"P({given.answer})", "best other", "P(other)", "ahead by"),
        [
            (
                line.prompt,
                f"{line.probability:.3f}",
                line.runner_up.strip() or repr(line.runner_up),
                f"{line.runner_up_probability:.3f}",
                f"{line.points:+.1f}",
            )
            for line in found
        ],
        numbers=("P(other)", f"P({given.answer})", "ahead by"),
    )
    print(f"\n{comparison(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
