"""What was learned in the end: the prompt in words, its label words, and how near they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import promptlab as pl

from ..components.html import bar, card, count_text, grid, join_markup, note, share_text, whisker
from ..components.markup import Markup
from .token_table import visible_token

TOP = 3
"""Words told of every vector."""
_ODD = "This is what the vectors are nearest to, not what they mean: words alone are often worse."


def explain_result(folder: Path, model: pl.LanguageModel) -> dict[str, Any]:
    """`promptlab.explain` of the best predictor of a decided study. Raises `InputError`."""
    found: dict[str, Any] = pl.explain(pl.Study(folder).best(model), TOP)
    return found


def result_html(found: Mapping[str, Any], board: Mapping[str, Any] | None = None) -> Markup:
    """The explanation as cards; with the ``board`` also what it was worth on test."""
    cards = [_worth(board or {}), _prompt(found), _labels(found), _learned(found)]
    drawn = grid(one for one in cards if one)
    return drawn + _nearest(found)


def _worth(board: Mapping[str, Any]) -> Markup:
    """The winner's score on the untouched test split beside those of the baselines."""
    best, measure = board.get("best") or {}, str(board.get("objective") or "")
    rows = [("what was learned", best), *((b["name"], b) for b in board.get("baselines") or ())]
    lines = [
        Markup("<dt>{}</dt><dd>{} {}</dd>").format(
            name, share_text(scores[measure]), _interval(scores)
        )
        for name, row in rows
        if isinstance((scores := row.get("test") or {}).get(measure), int | float)
    ]
    if not lines or not best.get("test"):
        return Markup("")
    said = [text for text in board.get("statements") or () if str(text).startswith("On test")]
    body = Markup('<dl class="pl-labels">{}</dl>{}').format(
        join_markup(lines), join_markup(note(str(text)) for text in said)
    )
    return card("Was it worth it?", body, aside=f"{measure} on test, {count_text(best['test'])}")


def _interval(scores: Mapping[str, Any]) -> Markup:
    ends: Sequence[Any] = scores.get("ci95") or ()
    if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends):
        return Markup("")
    value = next(value for value in scores.values() if isinstance(value, int | float))
    return whisker(value, ends[0], ends[1], f"95 % interval {ends[0]:.3f} to {ends[1]:.3f}")


def _prompt(found: Mapping[str, Any]) -> Markup:
    searched = (found.get("learned") or {}).get("triggers")
    if found.get("words"):
        title = "The final prompt" if searched else "The prompt in its nearest words"
        return card(title, _text(found["words"]) + (Markup("") if searched else note(_ODD)))
    text = found.get("template") or found.get("input") or ""
    why = str(found.get("no_words") or "")
    shown = _text(text) if text else Markup("")
    return card("The prompt", shown + (note(f"{why[:1].upper()}{why[1:]}.") if why else ""))


def _text(text: object) -> Markup:
    left, slot, right = str(text).partition("{mask}")
    marked = Markup("<mark>{}</mark>").format(slot) if slot else ""
    return Markup('<pre class="pl-prompt">{}{}{}</pre>').format(left, marked, right)


def _labels(found: Mapping[str, Any]) -> Markup:
    answers = (found.get("verbalizer") or {}).get("answers")
    if isinstance(answers, Mapping):
        rows: list[tuple[Any, str]] = [(label, _words(words)) for label, words in answers.items()]
    else:
        rows = [(label, "") for label in found.get("labels") or ()]
    if not rows:
        return Markup("")
    lines = join_markup(Markup("<dt>{}</dt><dd>{}</dd>").format(*row) for row in rows)
    title = "Label words" if isinstance(answers, Mapping) else "Labels"
    return card(title, Markup('<dl class="pl-labels">{}</dl>').format(lines))


def _words(words: Any) -> Markup:
    listed = [words] if isinstance(words, str) else list(words)
    return Markup(" ").join(Markup("<code>{}</code>").format(word) for word in listed)


def _learned(found: Mapping[str, Any]) -> Markup:
    learned = found.get("learned") or {}
    told = []
    if "vectors" in learned:
        told.append(("vectors", f"{learned['vectors']} of width {learned['width']}"))
    if "prefix" in learned:
        prefix = learned["prefix"]
        told.append(("prefix", f"{prefix['tokens']} tokens in each of {prefix['layers']} layers"))
    if "triggers" in learned:
        told.append(("trigger", ", ".join(repr(one["words"]) for one in learned["triggers"])))
    if "weights" in learned:
        kind = "all" if learned["weights"] == "all" else "low-rank updates (LoRA)"
        told.append(("weights", kind))
    if "head" in learned:
        head = learned["head"]
        told.append(("head", f"{head['labels']} labels of width {head['width']}"))
    told += [(key.replace("_", " "), learned[key]) for key in _NOTED if key in learned]
    if not told:
        return Markup("")
    lines = join_markup(
        Markup("<dt>{}</dt><dd>{}</dd>").format(name, value) for name, value in told
    )
    return card("What was learned", Markup('<dl class="pl-labels">{}</dl>').format(lines))


_NOTED = ("steps", "best_step", "step")


def _nearest(found: Mapping[str, Any]) -> Markup:
    """Of every vector its nearest words with their cosines."""
    cards = []
    for row in found.get("nearest") or ():
        bars = [
            bar(
                visible_token(str(near["token"])),
                near["cosine"],
                f"{near['cosine']:.3f}",
                detail=f"token {near['token_id']}, distance {1 - near['cosine']:.3f}",
                strong=place == 0,
            )
            for place, near in enumerate(row["tokens"])
        ]
        cards.append(card(f"Vector {row['vector'] + 1}", join_markup(bars)))
    if not cards:
        return Markup("")
    return Markup('<h4 class="pl-learn-title">Nearest words, by cosine</h4>{}').format(grid(cards))
