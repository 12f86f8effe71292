"""Where a reply marks its answer: in a box, behind a sign, after words that announce it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class MarkedAnswer:
    """A marked answer: what follows the mark, up to the end of its sentence or mark.

    ``start`` and ``end`` are its place in the reply. ``exact``: the mark encloses the answer and
    nothing else.
    """

    start: int
    end: int
    text: str
    exact: bool = False


_BOX = re.compile(r"\\f?boxed\s*\{|<\|begin_of_box\|>")
_TAG = re.compile(r"<(answer|final_answer|solution|output)\b[^<>]{0,80}>(.*?)</\1\s*>", re.I | re.S)
_HASHES = re.compile(r"####[ \t]*(?=(?:\\?\$|[-+−–€£¥(]|\\boxed|\d|\.\d|[A-Za-z][\w-]*[.,]?\s))")
_NOUN = (
    r"(?:answers?|antwort(?:en)?|lösung|réponse|respuesta|resposta|risposta|antwoord|odpowiedź|"
    r"ответ|solution|result|ergebnis|résultat|resultado|conclusion|option|choice)"
)
_LINK = (
    r"(?:\s*(?::|=|→|⇒|->|=>)|\s+(?:is|are|was|would\s+be|will\s+be|should\s+be|must\s+be|equals|"
    r"ist|lautet|wäre|est|es|é|è|jest|это)\b\s*:?)"
)
_PHRASE = re.compile(
    rf"(?<![\w-])(?:{_NOUN})(?![\w-])[*_\"'`)\]]*"
    rf"(?:(?:\s*\([^()\n]{{0,80}}\)|,[^.!?,\n]{{1,40}},|\s+(?:to|for|of|in|as|with|und|der|auf)\s"
    rf"[^.!?:=\n]{{1,80}}?|\s+choice)[*_\"'`]*)?{_LINK}[*_\"'`)\]]*"
    r"|(?:答案|答|正解|정답|답)\s*(?:是|为|為|は|은|는)?\s*[:：]?\s*",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"\b(?:on\s+second\s+thoughts?|wait|actually|correction|scratch\s+that|no|sorry)\b"
    r"[\s,:;.!…—–-]{0,8}(?:(?:no|wait|actually)\b[\s,.:;!…—–-]{0,8}){0,3}"
    r"(?:it|this|that|the\s+answer)(?:['’]s|\s+(?:is|should\s+be|must\s+be))\s+"
    r"(?P<said>\S+(?:[ \t]\S+){0,3}?)(?=[.!]?(?:\s|$))(?=[^\w\n]*(?:[.!]|\n|$))",
    re.IGNORECASE,
)
"""What was stated is taken back, and another answer given in a few words."""
_EXAMPLE_HEAD = re.compile(
    r"^[ \t]{0,8}(?:q|question|problem|review|text|input|sentence|passage|example|tweet|document|"
    r"article|message|context)[ \t]{0,4}\d{0,4}[ \t]{0,4}:",
    re.IGNORECASE | re.MULTILINE,
)
_DASH = re.compile(r"[-−–]\s+(?=[\d.$€£])")
_SHORT = re.compile(r"\b(?:approx|ca|vs|e\.g|i\.e|etc|no|resp|mr|mrs|dr|st)\.", re.IGNORECASE)
_LONGEST = 2000  # characters of a statement
_END = re.compile(r"[.!?。！？](?=[\s*_\"'`)\]}$]|$)|[。！？]|\n")


def find_marked_answers(text: str) -> list[MarkedAnswer]:
    r"""The marked answers of a reply, in order.

    Marks are ``\boxed{…}``, ``<answer>…</answer>``, ``####`` before a value, and a noun such as
    *answer* with a colon, an equals sign or *is* ("the final answer to it is", "Antwort:"). What
    takes another one back ("Wait, actually it's 7.") is a mark, too.
    """
    found = [*_boxes(text), *_tags(text), *_hashes(text), *_phrases(text), *_taken_back(text)]
    return sorted(found, key=lambda one: (one.start, one.end))


def truncate_at_next_example(reply: str) -> str:
    """The reply up to where the model goes on with an example of its own ("\\n\\nReview: …").

    Models that were shown examples, or were not taught to stop, invent the next one.
    """
    for head in _EXAMPLE_HEAD.finditer(reply):
        above = reply[reply.rfind("\n", 0, max(0, head.start() - 1)) + 1 : head.start()]
        if head.start() and not above.strip():
            return reply[: head.start()]
    return reply


def _taken_back(text: str) -> list[MarkedAnswer]:
    return [MarkedAnswer(m.start(), m.end("said"), m["said"]) for m in _TAKEN_BACK.finditer(text)]


def _boxes(text: str) -> list[MarkedAnswer]:
    found = []
    for match in _BOX.finditer(text):
        if match[0].startswith("<"):
            end = text.find("<|end_of_box|>", match.end())
        else:
            end = _closed(text, match.end())
        if end >= 0:
            found.append(MarkedAnswer(match.start(), end, text[match.end() : end], exact=True))
        else:  # cut off: what stands there may be a part of the answer
            found.append(MarkedAnswer(match.start(), len(text), "\\cut", exact=True))
            break
    return found


def _closed(text: str, start: int) -> int:
    """Where the brace that is open at ``start`` is closed, or -1."""
    depth = 1
    for match in re.compile(r"\\?[{}]").finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if not depth:
            return match.start()
    return -1


def _tags(text: str) -> list[MarkedAnswer]:
    return [MarkedAnswer(m.start(), m.end(2), m[2], exact=True) for m in _TAG.finditer(text)]


def _hashes(text: str) -> list[MarkedAnswer]:
    found = []
    for match in _HASHES.finditer(text):
        rest = text[match.end() : match.end() + _LONGEST]
        # "#### Step 1: add" is a heading.
        if re.match(r"[^\W\d_]", rest) and not _is_short(rest):
            continue
        end = match.end() + _sentence(rest)
        found.append(MarkedAnswer(match.start(), end, text[match.end() : end]))
    return found


def _is_short(rest: str) -> bool:
    line = rest.splitlines()[0]
    return ":" not in line and len(line.split()) <= 4 and not re.search(r"\d", line.split()[-1])


def _phrases(text: str) -> list[MarkedAnswer]:
    found = []
    for match in _PHRASE.finditer(text):
        start = match.end()
        lead = re.compile(r"[\s*_>#`$]*(?=\S)").match(text, start)
        start = lead.end() if lead is not None else start
        end = start + _sentence(text[start : start + _LONGEST])
        said = text[start:end]
        if lead is not None and "\n" not in lead[0] and _DASH.match(said):
            # A minus sign after a colon; after "is" it may as well be a dash.
            said = said[0] + said[1:].lstrip() if match[0].rstrip("*_ ")[-1:] in ":=" else "\\cut"
        if said.strip():
            found.append(MarkedAnswer(match.start(), end, said, exact=said == "\\cut"))
    return found


def _sentence(rest: str) -> int:
    """Where the sentence or the line ends with which a text begins."""
    rest = rest[:_LONGEST]
    plain = _SHORT.sub(lambda match: match[0][:-1] + " ", rest)
    end = _END.search(plain)
    return len(rest) if end is None else end.end() if plain[end.start()] in "?？" else end.start()
