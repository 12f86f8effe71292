"""Where a reply mentions the words of its choices, and where it denies them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import regex

_FLAGS = re.IGNORECASE | re.VERBOSE


@dataclass(frozen=True)
class Mention:
    """A place in a reply where a word of ``label`` stands; ``denied``: only to be refused."""

    start: int
    end: int
    label: str
    denied: bool


@dataclass(frozen=True)
class ChoiceWords:
    """Words, each with the label that it stands for.

    A word is found in any case, between word ends, with blanks, hyphens or underscores between
    its parts; where several fit at one place the longest wins. It is no part of a compound
    ("HIV-positive"), and a digit no part of a number. A single letter is found in either case
    where it is set off, ``(b)`` or alone or behind *option* or "answer:", elsewhere as a capital
    alone; an article ("A careful reader"), a pronoun ("I think") and a determiner ("no evidence")
    are no mentions.
    """

    words: tuple[tuple[str, str], ...]

    @cached_property
    def _pattern(self) -> regex.Pattern[str]:
        order = sorted(range(len(self.words)), key=lambda n: -len(self.words[n][0]))
        forms = (f"(?P<w{n}>{_whole_word(self.words[n][0])})" for n in order)
        return regex.compile("|".join(forms), regex.IGNORECASE | regex.FULLCASE | regex.V1)

    def mentions(self, text: str) -> Iterator[Mention]:
        """The mentions in a text from `plain_reply`, in order."""
        for match in self._pattern.finditer(text):
            assert match.lastgroup is not None
            start, end = match.span()
            if _stands_alone(text, start, end):
                label = self.words[int(match.lastgroup[1:])][1]
                yield Mention(start, end, label, _is_denied(text, start, end))


def plain_reply(reply: str) -> str:
    """The reply with compatible characters and straight apostrophes, LaTeX's fonts left out."""
    text = _compatible(reply)
    return re.sub(r"\\(?:text(?:bf|it|rm)?|math(?:rm|bf|it))\s*(?=\{)", "", text)


BE = r"""(?:is|are|was|were|seems?|looks?|appears?|(?:would|must|should|can|could)\s+be)"""
SOFT = r"""(?:(?:clearly|obviously|definitely|certainly|also|probably|likely|simply|therefore|thus|
    then|to\s+be|just|only|both|all)\s+){0,3}"""
TAIL = r"""[*_"'`)\]}.:]{0,4}"""
OPENING = frozenset("([{\"'*`“<«_")
_CLOSING = frozenset(")]}\"'*`”>»_")
_SPACE = r"[\s_\-\u2010-\u2015]+"
_LETTERS = r"[\w--[\u0e00-\u0eff\u2e80-\U0003ffff]]"  # words of other scripts have no blanks
_ARTICLES = frozenset("aeoiywzku")  # letters that are words in some language
FOLLOWS = re.compile(
    r"""[*_"'`)\]}]*(?:
        \s*(?:[.,;:!?)\]}(/|&=→<—–-]|\n|$)
        | \s+[^\W\d_](?!\w)
        | \s+(?:is|was|because|since|as|given|due|for|and|or|nor|but|not|if|when|seems|would|should|
            must|may|might|can|could|fits|matches|describes|explains|works|applies|does|doesn't|
            isn't|has|makes|says|over|rather|instead|here|though|although|while|with)\b
    )""",
    _FLAGS,
)
"""What follows a letter that is a choice."""
_PRONOUN_FOLLOWS = re.compile(r"""[*_"'`)\]}]*(?:\s*(?:[.,;:!?)\]}]|\n|$)|\s+(?:is|because)\b)""")
_NO_FOLLOWS = re.compile(
    r"""[*_"'`)\]}]*(?:
        \s*(?:[.,;:!?)\]}(/|—–-]|\n|$)
        | \s+(?:because|since|as|and|or|nor|but|not|it|they|he|she|that|this|these|there|i|we|you|
            is|was)\b
    )""",
    _FLAGS,
)
_OPTION = re.compile(
    r"""\b(?:options?|choices?|alternatives?|letters?|candidates?)\s*[:\#]?\s*[("'*`\[]*$""", _FLAGS
)
_CUED = re.compile(
    r"""(?:(?:answer|option|choice|antwort|respuesta|réponse)\b[^.!?\n]{0,40}
            (?:\bis|\bist|\best|\bes|:|=)[\s*_"'`($\[{]*
            (?:(?:option|choice|letter|definitely|clearly|probably)\s+)*
        | (?:答案|答)\s*(?:是|为|:)?\s* | \{ )$""",
    _FLAGS,
)
_DENIAL = re.compile(
    r"""(?:\b(?:not|no|never|neither|nor|without|hardly|unlike|except|excluding|cannot|
            rather\s+than|instead\s+of|far\s+from|opposed\s+to|(?:anything|everything|all)\s+but|rul(?:e|es|ed|ing)\s+out|
            eliminat(?:e|es|ed|ing)|reject(?:s|ed|ing)?|exclud(?:e|es|ed|ing)|discard(?:s|ed|ing)?|
            avoid)|n't|\bnon-?)\s*
        (?:(?<=\s)(?:(?:an?|the|very|really|quite|entirely|particularly|necessarily|clearly|be|
            either|option|choice|answer|label|letter|pick|choose|select|say|so|that|
            think|believe|feel|sure|is|it|it's|was)\s+){0,6})?
        ["'*`(\[]*$""",
    _FLAGS,
)
_LONGEST_DENIAL = 60  # characters
_REFUSED = re.compile(
    rf"""{TAIL}\s+(?:
        {BE}\s+{SOFT}(?:not\b|never\b|wrong|incorrect|false|out\b|eliminated|ruled\s+out|excluded|
            rejected|irrelevant|implausible|unlikely|inaccurate|misleading|invalid|tempting|
            impossible|an?\s+(?:distractor|trap|mistake|red\s+herring|common|tempting|wrong|
            incorrect|bad))
        | (?:isn't|aren't|wasn't|doesn't|does\s+not|cannot|can't|won't|fails?|contradicts?|
            would\s+not|wouldn't)\b
    )""",
    _FLAGS,
)


def _compatible(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'")


def _whole_word(word: str) -> str:
    """A pattern for ``word`` that does not match inside a longer word or number."""
    word = _compatible(word).strip()
    parts = re.split(r"(?<=[^\W_])[\s_\-\u2010-\u2015]+(?=[^\W_])", word)
    before = rf"(?<!{_LETTERS})(?<!{_LETTERS}-)" if _is_spaced(word[0]) else ""
    after = rf"(?!{_LETTERS})(?!-{_LETTERS})" if _is_spaced(word[-1]) else ""
    if word[0].isdigit():
        before += r"(?<!\d[.,:/])(?<!-)(?<!out of )(?<!/)(?<!\^)"
    if word[-1].isdigit():
        # "1" must match neither "1.5" nor "1,000".
        after += r"(?![.,:]\d)(?!\^)(?!%)"
    return before + _SPACE.join(regex.escape(part) for part in parts) + after


def _is_spaced(character: str) -> bool:
    """Whether words in this character's script are set apart by blanks (not so from CJK on)."""
    return (character.isalnum() or character == "_") and not (
        ord(character) >= 0x2E80 or 0x0E00 <= ord(character) <= 0x0EFF
    )


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether a letter or a "no" is a choice and no article, pronoun or determiner."""
    found = text[start:end]
    if found.casefold() == "no":
        return _NO_FOLLOWS.match(text, end) is not None
    if len(found) != 1 or not (found.isupper() or found.islower()):
        return True
    before, after = text[start - 1 : start], text[end : end + 1]
    if (before in OPENING and after in _CLOSING and before and after) or after in (")", "]"):
        return True
    if _OPTION.search(text, max(0, start - 24), start) or _is_line(text, start, end):
        return True
    cued = _CUED.search(text, max(0, start - 80), start) is not None
    if found.casefold() in _ARTICLES:
        follows = _PRONOUN_FOLLOWS if found == "I" else FOLLOWS
        return (found.isupper() or cued) and follows.match(text, end) is not None
    return found.isupper() or cued


def _is_line(text: str, start: int, end: int) -> bool:
    """Whether a letter is all of its line."""
    line = text[max(text.rfind("\n", 0, start) + 1, start - 12) : start]
    rest = text[end : end + 12].partition("\n")[0]
    return not line.strip(" \t*_\"'`([{#>-") and not rest.strip(" \t*_\"'`)]}.:!,")


def _is_denied(text: str, start: int, end: int) -> bool:
    if _DENIAL.search(text, max(0, start - _LONGEST_DENIAL), start):
        return True
    return _REFUSED.match(text, end) is not None
