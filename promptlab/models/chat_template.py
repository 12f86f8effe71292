"""A conversation in the words of a model's chat template."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import TemplateError as JinjaError

from promptlab.engine.network.model_errors import describe_error
from promptlab.errors import CapabilityError, InputError, PromptlabError
from promptlab.models.chat_limits import check_limits
from promptlab.models.thinking import Thinking, closing_marks, thinking_switches
from promptlab.prompts.prompt import Text

Turn = tuple[str, Text]
"""A role (*system*, *user*, *assistant*) and its words."""
_NONCE = secrets.token_hex(8)


class ChatTemplate:
    """A tokenizer's chat template.

    ``commands`` says whether control tokens are read in a text. The template is shown names in
    place of the turns' words first, so it is known where these stand, and no word in them can
    steer it. Where it would write the words themselves in another way, that is what counts,
    unless there are control tokens in them.
    """

    def __init__(self, tokenizer: Any, commands: Callable[[str], bool]) -> None:
        self.tokenizer = tokenizer
        self.commands = commands
        template = tokenizer.chat_template
        self.source = (
            template if isinstance(template, str) else "\n".join((template or {}).values())
        )
        self._frames: dict[tuple[tuple[str, ...], bool], str] = {}

    def text(self, turns: Sequence[Turn], *, thinking: bool = False) -> Text:
        """The conversation up to where the assistant's reply begins, with what came from data.

        A template that knows no system turn gets its words at the head of the first user turn.
        Without ``thinking`` a block of reasoning that the template opens is closed again. Raises
        `InputError` with the template's own words when it refuses the conversation, and when it
        leaves out a turn.
        """
        turns, framed = self._framed(turns, thinking)
        made = _filled(framed, turns)
        shown = self._applied([(role, words.text) for role, words in turns], thinking)
        if shown != made.text and not any(self.commands(t.text) for _, t in turns if t.data_ranges):
            made = Text(shown)
        return made if thinking else made + Text(closing_marks(made.text, self.source))

    def thinking(self, wanted: bool) -> Thinking | None:
        """What is done about reasoning; ``None`` for a template that knows none.

        Raises `InputError` where thinking is wanted and the template knows none.
        """
        asked = [("user", Text("x"))]
        try:
            plain, thought = (self.text(asked, thinking=answer).text for answer in (False, True))
        except (InputError, CapabilityError):
            if wanted:
                raise
            return None  # told again where somebody chats
        if plain == thought:
            if wanted:
                raise InputError(
                    "thinking: the model's chat template has no reasoning to switch on; leave the "
                    "setting out"
                )
            return None
        if wanted:
            return "on"
        shown = self._applied([("user", "x")], thinking=False)
        return "off" if shown == plain else "closed"

    def _framed(self, turns: Sequence[Turn], thinking: bool) -> tuple[Sequence[Turn], str]:
        """The turns as the template takes them, and its text with names for their words."""
        joined = _without_system(turns)
        try:
            framed = self._frame(turns, thinking)
        except InputError:
            if joined is None:
                raise
            return joined, self._whole(joined, thinking)
        if joined is not None and _name(0) not in framed:
            return joined, self._whole(joined, thinking)
        return turns, self._whole(turns, thinking)

    def _whole(self, turns: Sequence[Turn], thinking: bool) -> str:
        """The frame, if no turn is missing in it."""
        framed = self._frame(turns, thinking)
        for number, (role, _) in enumerate(turns):
            if _name(number) not in framed:
                raise InputError(
                    f"the model's chat template leaves out what the {role} says, so the model "
                    "would never read it; use a template without chat, or another chat template"
                )
        return framed

    def _frame(self, turns: Sequence[Turn], thinking: bool) -> str:
        roles = tuple(role for role, _ in turns)
        if (roles, thinking) not in self._frames:
            named = [(role, _name(number)) for number, role in enumerate(roles)]
            self._frames[roles, thinking] = self._applied(named, thinking)
        return self._frames[roles, thinking]

    def _applied(self, turns: Sequence[tuple[str, str]], thinking: bool) -> str:
        messages = [{"role": role, "content": words} for role, words in turns]
        settings: Mapping[str, bool] = dict.fromkeys(thinking_switches(self.source), thinking)
        try:
            template = self.tokenizer.get_chat_template()
            given = {**self.tokenizer.special_tokens_map, "add_generation_prompt": True, **settings}
            check_limits(template, messages, given)
            return str(
                self.tokenizer.apply_chat_template(
                    messages, add_generation_prompt=True, tokenize=False, **settings
                )
            )
        except PromptlabError:
            raise
        except Exception as error:  # a template can make any function raise anything
            said = str(error) if isinstance(error, JinjaError) else describe_error(error)
            raise InputError(
                f"the model's chat template refuses this conversation ({said}); turns of user "
                "and assistant alternate, after at most one system turn"
            ) from error


def _name(number: int) -> str:
    return f"\ue006{_NONCE}:{number}\ue007"


def _filled(framed: str, turns: Sequence[Turn]) -> Text:
    """The template's text with the turns' words in the places of their names."""
    made = [Text(framed)]
    for number, (_, words) in enumerate(turns):
        made = [piece for text in made for piece in _replaced(text, _name(number), words)]
    return Text.join(made)


def _replaced(text: Text, name: str, words: Text) -> list[Text]:
    if text.data_ranges or name not in text.text:
        return [text]
    parts = [Text(part) for part in text.text.split(name)]
    return [piece for part in parts for piece in (words, part)][1:]


def _without_system(turns: Sequence[Turn]) -> list[Turn] | None:
    """The system's words before the first user's; ``None`` if there is nothing to join."""
    if len(turns) < 2 or turns[0][0] != "system" or turns[1][0] != "user":
        return None
    (_, system), (_, user), *rest = turns
    return [("user", Text.join((system, Text("\n\n"), user))), *rest]
