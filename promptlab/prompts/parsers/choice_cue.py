"""The words around a choice that make it a statement, a question, a list or a supposition."""

from __future__ import annotations

import re

from promptlab.prompts.parsers.choice_mention import BE, SOFT, TAIL

_FLAGS = re.IGNORECASE | re.VERBOSE

AFFIRMED = re.compile(
    rf"""{TAIL}\s+{BE}\s+{SOFT}(?:(?:the|my|an?|our)\s+)?{SOFT}
        (?:correct|right\b|best\b|true\b|accurate|(?:final\s+)?answer\b|choice\b|pick\b|
        most\s+(?:likely|appropriate|plausible|accurate|suitable))""",
    _FLAGS,
)
"""Behind a choice: it is the right one."""
SUPPOSED = re.compile(
    r"""\b(?:if|whether|suppose|supposing|assum\w+|thought|believed|guessed|seemed|initially|
        tempt\w+|had|first|may|might|could|unless|pretend\w*|like|format\w*|example|e\.g\.)\b
        (?:(?!\b(?:but|however|though|although|then)\b)[^.!?;\n]){0,40}$
        | (?:n't|\bnot)\s+(?:think|believe|feel|say|sure|certain)\b[^.!?;\n]{0,40}$
        | \bdoubt\b[^.!?;\n]{0,40}$""",
    _FLAGS,
)
"""Before a statement: it is none."""
NAMED = re.compile(
    r"""(?<![\w-])(?:label|sentiment|class|category|classification|classified|verdict|rating|score|
        stars?|prediction|judge?ment|emotion|mood|tone|polarity|topic|subject|intent|intention|
        stance|decision|relation(?:ship)?|language|genre|priority|queue|type|status|response|
        output|value)(?![\w-])[*_"'`)\]]*
        (?:\s+(?:of|for|in|expressed|here)\b[^.!?:\n]{0,60}?)?
        (?:\s*(?::|=|→|->)|\s+(?:is|was|as|(?:would|should|must)\s+be)\b\s*:?)""",
    _FLAGS,
)
"""What announces a label."""
CHOSEN = re.compile(
    r"""\b(?:
        pick|picks|picked|choose|chooses|chose|choosing|select|selects|selected|going\s+with|
        goes?\s+with|went\s+with|opts?\s+for|vote\s+for|settled?\s+on|conclude|
        (?:i'd|i\s+would|i\s+will|i'll|let's|must|i)\s+say|
        (?:i'd|i\s+would|i'll|i\s+will)\s+(?:call|rate|label|classify)\s+(?:it|this|that)(?:\s+as)?|
        (?:classif(?:y|ied)|label(?:l?ed)?|rate[sd]?|categori[sz]ed?)
            (?:\s+(?:it|this|that|the\s+\w+))?\s+as|
        (?:my|the)\s+(?:guess|vote|pick|bet)\s+(?:is|goes\s+to)|
        (?:on\s+second\s+thoughts?|wait|actually|correction|scratch\s+that|i\s+mean|sorry|no)\b
            [\s,:;.!…—–-]*(?:(?:no|wait)\b[\s,.:;]*)?
            (?:(?:(?:it|this|that)(?:'s|\s+is|\s+(?:should|must)\s+be)|i'd\s+say|i\s+think)\s+)?
        )
        [\s,:;—–-]*(?:(?:that|it|is|it's|was|with|for|the|option|choice|answer|letter|label|
        definitely|clearly|to\s+be|as)\b[\s:]*){0,4}""",
    _FLAGS,
)
"""A verb that chooses, or what takes back what was said, up to the choice."""
NOT_CHOSEN = re.compile(r"(?:\b(?:not|never|no)|n't)(?:\s+(?:to|have|be|say))*\s*$", re.IGNORECASE)
IT_IS = re.compile(
    r"""\b(?:it|this|that|(?:this|the|that)\s+[\w-]+(?:\s+[\w-]+)?)
        (?:'s|\s+(?:is|was|must\s+be|should\s+be|seems|sounds|expresses|conveys|has|shows))\s+
        (?:(?:an?|the|very|clearly|really|actually|overall|mostly|quite|so|more|rather|therefore|
        definitely|probably|to\s+be|option|choice)\s+){0,3}[*_"'`(\[]*""",
    _FLAGS,
)
"""The subject and verb before a choice."""
LEAD = re.compile(
    r"""(?:[\s*_"'`(\[{\#>•$-]|\b(?:so|therefore|thus|hence|overall|finally|clearly|definitely|
        probably|in\s+conclusion|in\s+summary|to\s+conclude|i\s+think|i\s+believe|i\s+guess|it'?s|
        it\s+is|it\s+must\s+be|this\s+is|that\s+is|hmm+|ok|okay|sure|well|option|choice|answer|
        label|letter|the)\b[,:\s]*){0,40}""",
    _FLAGS,
)
"""What a sentence may begin with before a choice that is all it says."""
LED = re.compile(
    r"""[*_"'`)\]}]*\s*(?:[,;:.(<—–]|-\s|\n|$|\b(?:because|since|as|given|due|but|although|though|
        over|rather|instead)\b)""",
    _FLAGS,
)
"""What follows a choice that stands for itself."""
_MARKS = r"""["'*_`()\[\]]"""
JOIN = re.compile(
    rf"""(?:[ \t]|{_MARKS})*(?:(?:[/|,&+]|\b(?:or|and|versus|vs\.?|nor)\b
        (?:\s+(?:either|options?|choices?|an?|the|both)\b)?)(?:\s|{_MARKS})*)*""",
    _FLAGS,
)
"""Between two choices: "or"."""
LISTED = re.compile(r"""[\s"'*_`().\[\]:•>#-]*""")
"""Between the lines of a list of choices."""
ENTRY = re.compile(r"""[*_"'`)\]}]*\s?(?P<mark>[.:)])[*_]*\s+\S|\)\s+\S""")
"""Behind a choice: the text that it has in a list of all of them."""
NONE = re.compile(
    r"""\b(?:none|neither|cannot|can't|unclear|unknown|undetermined|ambiguous|impossible|
        no\s+(?:option|choice|answer)|(?:all|both|any)\s+of|
        not\s+(?:sure|clear|given|listed|among|possible))\b""",
    _FLAGS,
)
"""It is none of the choices."""
SENTENCE = re.compile(
    r"[^.!?。！？\n]*(?:[.!?。！？](?!\s|$)[^.!?。！？\n]*)*(?:[.!?。！？]+|\n|$)"
)
SENTENCE_END = re.compile(r"""\s{0,40}[^\n]{0,2000}?(?=[.!?。！？](?:\s|$|[*_"'`)])|\n|$)""")
