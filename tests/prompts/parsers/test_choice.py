"""Choices in replies: cues before mentions, the last statement before the first, or nothing."""

from __future__ import annotations

import time

import pytest

from promptlab.prompts.parsers.choice import ChoiceReader

LETTERS = {letter: [letter] for letter in "ABCD"}
SENTIMENT = {"positive": ["positive", "good"], "negative": ["negative", "bad"]}
FIVE = {
    "vp": ["very positive"],
    "p": ["positive"],
    "n": ["neutral"],
    "neg": ["negative"],
    "vn": ["very negative"],
}
ENTAILMENT = {"no": ["not entailment"], "yes": ["entailment"]}
STARS = {str(n): [str(n)] for n in range(1, 6)}
ANSWERS = {"yes": ["yes"], "no": ["no"]}
SIGNS = {"c": ["C++"], "a": ["(a)"], "s": ["STRASSE"]}
CHINESE = {"pos": ["正面"], "neg": ["负面"]}
THREE = {label: [label] for label in ("positive", "negative", "neutral")}
TRUTH = {"true": ["true"], "false": ["false"]}
INFERENCE = {label: [label] for label in ("entailment", "neutral", "contradiction")}
QUEUES = {label: [label] for label in ("billing", "technical support", "sales")}


def stated(choices: dict[str, list[str]], reply: str) -> str | None:
    return ChoiceReader.from_labels(list(choices.items())).read(reply)


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("A careful reader would pick B.", "B"),
        ("A is a distractor. ANSWER: C", "C"),
        ("I first thought A. The answer is B.", "B"),
        ("**Answer: (B)**", "B"),
        ("\\boxed{B}", "B"),
        ("$\\boxed{\\text{B}}$", "B"),
        ("Final answer: B", "B"),
        ("The correct option is C) because A is wrong", "C"),
        ("The correct option is C) because A looks right but is not", "C"),
        ("b", "B"),
        ("b.", "B"),
        ("(b)", "B"),
        ("B)", "B"),
        ("B) Paris", "B"),
        ("B. Paris is the capital", "B"),
        ("Option B", "B"),
        ("choice (c)", "C"),
        ("option a is correct", "A"),
        ("Options: A, B, C", None),
        ("Options: A, B, C, D. I pick D.", "D"),
        ("A\nB\nC\nD", None),
        ("A) Rome\nB) Paris\nC) Berlin\nAnswer: B", "B"),
        ("A) Rome\nB) Paris\nC) Berlin", None),
        ("A good film.", None),
        ("It is a good film.", None),
        ("A or B", None),
        ("The answer is A or B.", None),
        ("The answer is neither A nor B.", None),
        ("The answer is none of the above. A is tempting.", None),
        ("The answer is not A. I pick B.", "B"),
        ("It's A. No wait, it's B.", "B"),
        ("B. Actually, A is a common mistake.", "B"),
        ("A and C are both correct.", None),
        ("If the answer is A, then 2=3. So B.", "B"),
        ("Is it A, B or C? I think B", "B"),
        ("Answer (A, B, C or D): B", "B"),
        ("Answer with A, B, C or D:\nB", "B"),
        ("答案是B", "B"),
        ("答案:C", "C"),
        ("Antwort: D", "D"),
        ("The answer is (a).", "A"),
        ("the answer is b because a is wrong", "B"),
        ("I would say C", "C"),
        ("Not A, not B, so C.", "C"),
        ("C", "C"),
        ("**C**", "C"),
        ("C is right.", "C"),
        ("A is wrong, B is wrong, C is right", "C"),
        ("The answer is C, not A.", "C"),
        ("We rule out A and B. D remains.", "D"),
        ("Answer: B\nExplanation: A is wrong because C ...", "B"),
        ("The answer is: \n\n(C)", "C"),
        ("Answer: A", "A"),
        ("The answer is A.", "A"),
        ("answer is a", "A"),
        ("The answer is a mystery.", None),
        ("I like cats", None),
        ("Vitamin C is found in fruit. ANSWER: D", "D"),
        ("\\boxed{A, C}", None),
        ("<answer>B</answer>", "B"),
        ("The best choice would be D.", "D"),
        ("My answer: C. A is a trap.", "C"),
        ("A. It is a fruit", "A"),
        ("Therefore, the answer is $\\boxed{D}$.", "D"),
        ("The answer is Ｂ", "B"),
        ("I choose B over A", "B"),
        ("#### B", "B"),
        ("B, because A is too strong", "B"),
        ("Between A and B, B is better.", "B"),
        ("It can't be A; it must be B.", "B"),
        ("Answer:B", "B"),
        ("Answer - B", "B"),
        ("The final answer is **B**.", "B"),
        ("Both A and B", None),
        ("A", "A"),
        ("a", "A"),
        ("I think the answer is B, but it could be C.", "B"),
        ("The answer is C. B would be a mistake.", "C"),
        ("The answer is option B: Paris", "B"),
        ("Correct answer: d", "D"),
        ("D) All of the above", "D"),
        ("So the correct answer is (D) 42.", "D"),
        ("Answer: (B) and (C)", None),
        ("The answer is A B", None),
        ("I don't know.", None),
        ("(A) is wrong; (B) is wrong; (C) is correct.", "C"),
        ("C is the answer", "C"),
        ("The answer is letter C", "C"),
        ("**Correct Answer:** C. Photosynthesis", "C"),
        ("Let me think. A? No. B? No. C? Yes.", None),
        ("It's not A", None),
        ("Grade A beef, but answer is C", "C"),
        ("The answer: C, which is better than A.", "C"),
        ("1. A is wrong\n2. B is right", "B"),
        ("Plan B", "B"),
        ("My final answer is B.", "B"),
        ("A: Paris", "A"),
        ("Choose one: A, B, C, D\nMy choice: A", "A"),
        ("Which is right, A or B?", None),
        ("Answer: none", None),
        ("the answer is E", None),
        ("I a m", None),
        ("A is incorrect. B is incorrect. C is incorrect. D is correct.", "D"),
    ],
)
def test_letters(reply: str, label: str | None) -> None:
    assert stated(LETTERS, reply) == label


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("Positive.", "positive"),
        ("  the answer is **NEGATIVE**\nbecause", "negative"),
        ("It is good", "positive"),
        ("goodness", None),
        ("", None),
        ("I cannot tell", None),
        ("positive or negative", None),
        ("Positive/Negative", None),
        ("positive, negative", None),
        ("(positive) and/or (negative)", None),
        ("not positive", None),
        ("It isn’t a good film", None),
        ("not positive but negative", "negative"),
        ("positive, not negative", "positive"),
        ("neither positive nor negative", None),
        ("positive because the bad parts are few", "positive"),
        ("positive\npositive or negative?", "positive"),
        ("The answer is not positive, it is negative", "negative"),
        ("positive… on second thought: negative", "negative"),
        ("Neither positive nor negative", None),
        ("The sentiment is positive, despite the bad acting.", "positive"),
        ("Sentiment: negative", "negative"),
        ("This review is negative, although some find it good.", "negative"),
        ("Positive or negative? Positive.", "positive"),
        ("non-positive", None),
        ("HIV-positive", None),
        ("The review has bad parts and good parts.", None),
        ("I'd say negative; the positive parts are few", "negative"),
        ("I would classify this as positive.", "positive"),
        ("Label: Positive\n\nThe review says the bad guys...", "positive"),
        ("The sentiment expressed in this review is negative.", "negative"),
        ("Overall, positive.", "positive"),
        ("Positive\n\nNegative", None),
        ("Is it negative? No. It is positive.", "positive"),
        ("It's not bad", None),
        ("The text is far from good.", None),
        ("positive (not negative)", "positive"),
        ("The sentiment could be positive or negative.", None),
        ("This is neither good nor bad, so neutral", None),
        ("**Positive**", "positive"),
        ("I'm not sure, maybe positive", "positive"),
        ("The sentiment is not negative.", None),
    ],
)
def test_sentiment(reply: str, label: str | None) -> None:
    assert stated(SENTIMENT, reply) == label


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("Very positive!", "vp"),
        ("The label is very-positive", "vp"),
        ("It is positive", "p"),
        ("very  negative", "vn"),
        ("not very positive", None),
    ],
)
def test_five(reply: str, label: str | None) -> None:
    assert stated(FIVE, reply) == label


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("Not  entailment", "no"),
        ("entailment", "yes"),
        ("not_entailment", "no"),
    ],
)
def test_entailment(reply: str, label: str | None) -> None:
    assert stated(ENTAILMENT, reply) == label


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("4 out of 5", "4"),
        ("Rating: 4/5", "4"),
        ("10 or 1.5 or 1,000", None),
        ("2.", "2"),
        ("I'd give it 3 stars", "3"),
        ("4.5", None),
        ("50%", None),
    ],
)
def test_stars(reply: str, label: str | None) -> None:
    assert stated(STARS, reply) == label


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("There is no evidence, so yes.", "yes"),
        ("No.", "no"),
        ("No, it isn't.", "no"),
        ("no", "no"),
        ("Yes, no doubt.", "yes"),
        ("The answer is no.", "no"),
        ("Yes or no? No.", "no"),
        ("Yes and no.", None),
    ],
)
def test_answers(reply: str, label: str | None) -> None:
    assert stated(ANSWERS, reply) == label


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("I say c++!", "c"),
        ("option (A)", "a"),
        ("die straße", "s"),
    ],
)
def test_signs(reply: str, label: str | None) -> None:
    assert stated(SIGNS, reply) == label


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("这是正面的评论", "pos"),
        ("答案是负面", "neg"),
    ],
)
def test_chinese(reply: str, label: str | None) -> None:
    assert stated(CHINESE, reply) == label


@pytest.mark.parametrize(
    ("choices", "reply", "label"),
    [
        (
            LETTERS,
            "A: Rome is in Italy. B: Paris is in France. D: Madrid. So the answer is B.",
            "B",
        ),
        (LETTERS, "I'd go with C.", "C"),
        (LETTERS, "The correct answer is: **C) Mercury**", "C"),
        (LETTERS, "**B**\n\nExplanation: Option A is wrong since...", "B"),
        (LETTERS, "Answer: C. Not A or B.", "C"),
        (LETTERS, "The answer cannot be A. The answer is D.", "D"),
        (LETTERS, "It could be A or B, but I'm going with B.", "B"),
        (LETTERS, "Neither A nor B; C", "C"),
        (LETTERS, "The best answer is A because a careful reader ...", "A"),
        (LETTERS, "A and B are wrong, so it's either C or D.", None),
        (LETTERS, "(C)", "C"),
        (LETTERS, "[C]", "C"),
        (LETTERS, "{C}", "C"),
        (LETTERS, "c)", "C"),
        (LETTERS, "answer: c", "C"),
        (LETTERS, "ANSWER = C", "C"),
        (LETTERS, "Ans: C", "C"),
        (LETTERS, "Ans. C", "C"),
        (LETTERS, "The right choice: C", "C"),
        (LETTERS, "Correct: C", "C"),
        (LETTERS, "C. Because it is.", "C"),
        (LETTERS, "C: Berlin", "C"),
        (LETTERS, "Option (C) is correct", "C"),
        (LETTERS, "The answer to the question is C", "C"),
        (LETTERS, "Therefore, C is the best option.", "C"),
        (LETTERS, "So, C.", "C"),
        (LETTERS, "I believe the answer is C", "C"),
        (LETTERS, "My answer would be C", "C"),
        (LETTERS, "Based on the passage, the answer must be (C).", "C"),
        (LETTERS, "The user asks A. Then B. Hence C", "C"),
        (LETTERS, "A. No wait, B.", "B"),
        (LETTERS, "A\n\nActually, the answer is B", "B"),
        (LETTERS, "Answer: A\n\nWait, let me reconsider. Answer: B", "B"),
        (LETTERS, "A is the correct answer, not B.", "A"),
        (LETTERS, "The answer isn't A, it's B.", "B"),
        (LETTERS, "A or B? B.", "B"),
        (LETTERS, "Which one is right? A", "A"),
        (LETTERS, "I don't think A is right.", None),
        (LETTERS, "I think A is right.", "A"),
        (LETTERS, "A is not the answer.", None),
        (LETTERS, "Anything but A", None),
        (LETTERS, "As an AI, I cannot answer.", None),
        (LETTERS, "A patient presents with fever.", None),
        (LETTERS, "B cells are lymphocytes.", "B"),
        (LETTERS, "A: 20%, B: 30%, C: 10%, D: 40%", None),
        (LETTERS, "The answer is E.", None),
        (LETTERS, "The answer is Paris.", None),
        (LETTERS, "Both A and C are correct", None),
        (LETTERS, "A, C", None),
        (LETTERS, "All of the above", None),
        (LETTERS, "The final answer is \\(\\boxed{C}\\).", "C"),
        (LETTERS, "$\\boxed{\\mathrm{C}}$", "C"),
        (LETTERS, "\\boxed{C) Berlin}", "C"),
        (LETTERS, "```\nC\n```", "C"),
        (LETTERS, "> C", "C"),
        (LETTERS, "'C'", "C"),
        (LETTERS, "Choice C.", "C"),
        (LETTERS, "Selected option: C", "C"),
        (LETTERS, "the correct letter is C", "C"),
        (LETTERS, "The answer is likely C", "C"),
        (LETTERS, "The answer is definitely not A but C", "C"),
        (LETTERS, "Respuesta: C", "C"),
        (LETTERS, "La respuesta correcta es C", "C"),
        (LETTERS, "Die richtige Antwort ist C", "C"),
        (LETTERS, "La bonne réponse est C", "C"),
        (LETTERS, "正确答案是C。", "C"),
        (LETTERS, "选C", "C"),
        (LETTERS, "ответ: C", "C"),
        (LETTERS, "The answer is a.", "A"),
        (LETTERS, "the answer is 'a'", "A"),
        (LETTERS, "a) Rome", "A"),
        (LETTERS, "A question like this has answer D", "D"),
        (LETTERS, "Ruling out A, B and D leaves C.", "C"),
        (LETTERS, "If A were right, X. But X is false. Answer: D", "D"),
        (LETTERS, "Final Answer\n\nC", "C"),
        (LETTERS, "### Answer\nC", "C"),
        (LETTERS, "Answer is C and not D", "C"),
        (LETTERS, "I would answer C", "C"),
        (LETTERS, "Answer: [B]", "B"),
        (LETTERS, "<b>B</b>", "B"),
        (LETTERS, "ANSWER: B or C", None),
        (LETTERS, "ANSWER: B/C", None),
        (LETTERS, "Answer: B C", None),
        (THREE, "I would label this as neutral.", "neutral"),
        (THREE, "The tone is overall positive, with a few negative remarks.", "positive"),
        (THREE, "There are both positive and negative aspects, so neutral.", "neutral"),
        (THREE, "Not positive.", None),
        (THREE, "positive-leaning", None),
        (THREE, "Sentiment: Positive (0.9)", "positive"),
        (THREE, '{"sentiment": "negative"}', "negative"),
        (THREE, "It isn't negative; it's positive.", "positive"),
        (THREE, "negative\n\nThe reviewer dislikes it; nothing positive.", "negative"),
        (THREE, "The statement expresses a negative sentiment.", "negative"),
        (THREE, "NEGATIVE!!!", "negative"),
        (THREE, "Output: positive", "positive"),
        (THREE, "The sentiment is mostly negative.", "negative"),
        (THREE, "I initially thought it was positive, but it is negative.", "negative"),
        (THREE, "First impression: positive. Final verdict: negative.", "negative"),
        (THREE, "Classification -> neutral", "neutral"),
        (THREE, "This is a positive review.", "positive"),
        (THREE, "less negative than positive", None),
        (THREE, "The review is not entirely negative.", None),
        (THREE, "Positive: 0.2, Negative: 0.8", None),
        (THREE, "Choose from positive, negative, neutral.\nnegative", "negative"),
        (THREE, "The options are positive, negative or neutral.", None),
        (THREE, "- positive\n- negative\n- neutral", None),
        (THREE, "The sentiment of the text can be classified as: negative", "negative"),
        (ANSWERS, "Yes, because ...", "yes"),
        (ANSWERS, "No", "no"),
        (ANSWERS, "I don't know.", None),
        (ANSWERS, "No, the passage says yes to that.", "no"),
        (ANSWERS, "Yes/No", None),
        (ANSWERS, "The answer is yes.", "yes"),
        (ANSWERS, "Not sure. Yes?", None),
        (ANSWERS, "There's no way to tell.", None),
        (ANSWERS, "Answer: No.", "no"),
        (TRUTH, "The statement is false.", "false"),
        (TRUTH, "It is not true.", None),
        (TRUTH, "True or False: False", "false"),
        (TRUTH, "This is true.", "true"),
        (INFERENCE, "Entailment", "entailment"),
        (INFERENCE, "The relationship is contradiction.", "contradiction"),
        (INFERENCE, "The premise neither entails... so neutral", "neutral"),
        (QUEUES, "Technical Support", "technical support"),
        (QUEUES, "This ticket belongs to billing.", "billing"),
        (QUEUES, "category: technical-support", "technical support"),
        (QUEUES, "Queue: Sales\nReason: billing is not the issue", "sales"),
        (QUEUES, "The customer has a billing question about technical support.", None),
        (LETTERS, "A. Rome\nB. Paris\nC. Berlin", None),
        (LETTERS, "A. Rome\nB. Paris\nC. Berlin\n\nB", "B"),
        (LETTERS, "A: Rome\nB: Paris", None),
        (LETTERS, "I don't think the answer is A. It is B.", "B"),
    ],
)
def test_replies_of_all_kinds(choices: dict[str, list[str]], reply: str, label: str | None) -> None:
    assert stated(choices, reply) == label


def test_a_pronoun_is_no_choice() -> None:
    nine = {letter: [letter] for letter in "ABCDEFGHI"}
    assert stated(nine, "I think it is B") == "B"
    assert stated(nine, "I am not sure") is None
    assert stated(nine, "The answer is I.") == "I"
    assert stated(nine, "(I)") == "I"


def test_long_replies_take_no_time() -> None:
    started = time.process_time()
    for text in ("B. " * 3000, "A " * 3000, "answer is " * 1000, "\n" * 20_000, "not " * 5000):
        stated(LETTERS, text)
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("The answer is A. Wait, actually it's C.", "C"),
        ("The answer is A. No, it's B!", "B"),
        ("The answer is A. Actually, it is a trick question.", "A"),
        ("Answer: B\n\nQuestion: what next?\nAnswer: C", "B"),
        ("\n\nQuestion: what?\nAnswer: C", "C"),
    ],
)
def test_what_is_taken_back_and_what_comes_after_the_reply(reply: str, label: str) -> None:
    assert stated(LETTERS, reply) == label
