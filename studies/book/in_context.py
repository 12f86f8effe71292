"""What solved examples do to one answer: the capital of Canada after none, one and two of them.

``python -m promptlab.studies.book.in_context`` prints how likely the default model finds *Ottawa*
after "The capital of Canada is" without a demonstration, after one, and after two of which the
second stands before or after the first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

import promptlab as pl
from promptlab.cli.listing import print_listing
from promptlab.cli.output import print_json

TEMPLATE = pl.Template("The capital of {country} is {mask}", demonstration_separator=". ")
SHOWN = ("no demonstration", "one", "two, the second before", "two, the second after")
"""The four prompts of the textbook's table."""


@dataclass(frozen=True)
class Line:
    """One prompt: how likely the right answer is in it.

    ``probability`` is that of the answer as the continuation, among everything the model could
    say; ``share`` what it has of the probability of all the capitals, and ``rank`` its place among
    them, led by ``leader``.
    """

    demonstrations: str
    prompt: str
    probability: float
    share: float
    rank: int
    leader: str


def lines(
    model: pl.LanguageModel,
    country: str = "Canada",
    first: str = "United Kingdom",
    second: str = "Japan",
) -> list[Line]:
    """The four prompts with the capitals of the data set *capitals* for candidates."""
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
    capitals = sorted(set(known.values()))
    shown = [[], [first], [second, first], [first, second]]
    return [
        _line(model, name, country, [(other, known[other]) for other in names], capitals, known)
        for name, names in zip(SHOWN, shown, strict=True)
    ]


def _line(
    model: pl.LanguageModel,
    name: str,
    country: str,
    shown: Sequence[tuple[str, str]],
    capitals: Sequence[str],
    known: dict[str, str],
) -> Line:
    answer = known[country]
    classifier = pl.PromptClassifier(
        TEMPLATE,
        {capital: capital for capital in capitals},
        model,
        demonstrations=pl.DemonstrationChoice(len(shown), selection="first", order="given"),
    ).fit([{"country": other} for other, _ in shown], [capital for _, capital in shown])
    asked = pl.Example("asked", {"country": country})
    scores = classifier.predict([asked])[0].scores or {}
    best = sorted(scores, key=lambda capital: -scores[capital])
    logprob = model.score([classifier.prompt(asked)], [answer]).logprobs[0, 0]
    return Line(
        name,
        classifier.example_prompt(asked),
        float(np.exp(logprob)),
        float(np.exp(scores[answer])),
        best.index(answer) + 1,
        best[0],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, or with ``--json`` one document; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="smollm2-135m", help="a pinned model, folder or id")
    parser.add_argument("--country", default="Canada", help="the country that is asked for")
    parser.add_argument("--first", default="United Kingdom", help="the first one shown")
    parser.add_argument("--second", default="Japan", help="the second one shown")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args(arguments)
    try:
        model = pl.load_model(given.model)
        found = lines(model, given.country, given.first, given.second)
    except pl.PromptlabError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if given.json:
        rows = [asdict(line) for line in found]
        print_json({"model": model.name, "country": given.country, "lines": rows})
        return 0
    print_listing(
        ("demonstrations", "prompt", "P(answer)", "among capitals", "rank", "first"),
        [
            (
                line.demonstrations,
                line.prompt,
                f"{line.probability:.3f}",
                f"{line.share:.3f}",
                line.rank,
                line.leader,
            )
            for line in found
        ],
        numbers=("P(answer)", "among capitals", "rank"),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
