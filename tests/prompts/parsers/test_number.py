"""Numbers in replies: marked ones, ways to write them, and what is no number."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest

from promptlab.data.numeral import format_number, parse_number
from promptlab.errors import InputError
from promptlab.prompts.parsers.number import read_number
from promptlab.prompts.parsers.parsers import NumberParser
from promptlab.strategies.chain_of_thought.worked_examples import parse_conclusion


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        ("The answer is 42.", "42"),
        ("3 and 4 make 7", "7"),
        ("5 * 8 = 40\n#### 1,234 (not 7)", "1234"),
        ("#### forty, so 40", "40"),
        ("x = -5", "-5"),
        ("10-5", None),
        ("$-5", "-5"),
        ("-$5.50", "-5.5"),
        ("−3", "-3"),
        ("1.50e3 metres", "1500"),
        ("1e-3", "0.001"),
        ("H2O and GPT4", None),
        ("no digits", None),
        ("1,2,3", None),
        ("12,345,678.90", "12345678.9"),
        (".5", "0.5"),
        ("007", "7"),
        ("-0.00", "0"),
        ("50%", "50"),
        ("have \\boxed{30} dollars left if he pays with a $50.00 bill.", "30"),
        ("\\boxed{$9{,}500}", "9500"),
        ("–5", "-5"),
        ("−5", "-5"),
        ("1 000", "1000"),
        ("1\u202f000", "1000"),
        ("1\xa0000\xa0000", "1000000"),
        ("1'000", "1000"),
        ("1’000", "1000"),
        ("10^3", "1000"),
        ("10**3", "1000"),
        ("2\\times10^3", "2000"),
        ("2×10³", "2000"),
        ("1e3", "1000"),
        ("42 (see step 2).", "42"),
        ("12,34", None),
        ("1,234", "1234"),
        ("1/2", "0.5"),
        ("\\frac{1}{2}", "0.5"),
        ("$\\dfrac{1}{3}$", "1/3"),
        ("3 1/2", "3.5"),
        ("3½", "3.5"),
        ("½", "0.5"),
        ("at 3:30", None),
        ("They have 12 at 3:30", "12"),
        ("1. first step\n2. so 7\n3. done", "7"),
        ("forty-two", "42"),
        ("The answer is forty-two.", "42"),
        ("minus five", "-5"),
        ("The answer is 5 + 7 = 12.", "12"),
        ("The answer is **42**.", "42"),
        ("**Answer:** 42 apples, of 50", "42"),
        ("So we get **30 dollars** from 50.", "30"),
        ("Final Answer: $1,234.50 and not $3", "1234.5"),
        ("The answer is 2 or 3.", None),
        ("between 5 and 10", None),
        ("5–10", None),
        ("5 to 10", None),
        ("The answer is 3.5 million.", "3500000"),
        ("$5k", "5000"),
        ("４２", "42"),
        ("٤٢", "42"),
        ("x^2", None),
        ("The answer is x^2.", None),
        ("\\boxed{x=5}", "5"),
        ("\\boxed{5\\text{ apples}}", "5"),
        ("\\boxed{12\\%}", "12"),
        ("\\boxed{\\$30}", "30"),
        ("\\boxed{2\\sqrt{3}}", None),
        ("\\boxed{2\\pi}", None),
        ("\\boxed{3x}", None),
        ("\\boxed{-\\frac{3}{4}}", "-0.75"),
        ("\\boxed{1\\frac{1}{2}}", "1.5"),
        ("The answer is $\\boxed{30", None),
        ("The answer is unknown. There are 5 apples.", None),
        ("I have two cats and thirty-one dogs", "31"),
        ("It is the right one.", None),
        ("one", "1"),
        ("The answer is one.", "1"),
        ("2^10", "1024"),
        ("10^999999", None),
        ("9^9^9", None),
        ("2024-01-05", None),
        ("#### Step 1: take 3 apples\nso that is 7", "7"),
        ("Answer\n42 (of 50)", "42"),
        ("1,00,000", "100000"),
        ("1.234,5", None),
        ("The answer is 7/10.", "0.7"),
        ("7 out of 10", "7"),
        ("3 - 1 = 2 apples", "2"),
        ("7 = 3 + 4", None),
        ("the 21st century has 5", "5"),
        ("two and a half", "2.5"),
        ("two thirds", "2/3"),
        ("a dozen", "12"),
        ("$1,000.00", "1000"),
        ("Answer: -5", "-5"),
        ("Answer: –5", "-5"),
        ("Answer: - 5", "-5"),
        ("The answer is 10-5", None),
        ("temperature is -5°C", "-5"),
        ("5kg", "5"),
        ("It costs 5€", "5"),
        ("<answer>42</answer> of 50", "42"),
        ("He is 5 feet 10 inches", "10"),
        ("- 5 apples", "5"),
        ("The total is 1 234 567,5", None),
        ("Die Antwort ist 42 von 50", "42"),
        ("答案是42。共50", "42"),
        ("(5)", "5"),
        ("The final answer is: $\\boxed{9{,}500}$", "9500"),
        ("The answer is 3,000,000 and 5", None),
        ("1.000", "1"),
        ("+5", "5"),
        ("= 42", "42"),
        ("5 × 8 = 40", "40"),
        ("The result is \\(\\frac{7}{3}\\).", "7/3"),
        ("Answer: 42. I am 100% sure.", "42"),
        ("So the answer is 18 dollars per day, for 7 days.", "18"),
        ("The answer is approx. 42.", "42"),
        ("**-5**", "-5"),
        ("*42*", "42"),
        ("0.1 + 0.2 = 0.3", "0.3"),
        ("five hundred", "500"),
        ("The answer is 1:2", None),
        ("1_000", "1000"),
        ("Answer: 3.14159...", "3.14159"),
        ("the answer is 5-7", None),
        ("5 %", "5"),
        ("12.50 USD", "12.5"),
        ("USD 12.50", "12.5"),
        ("1 000,5", None),
        ("The answer is ninety-nine point nine percent", "99.9"),
        ("$1.5M", "1500000"),
        ("May 5, 2024", None),
        ("On May 5 he had 3", "3"),
        (
            "She sells 16 - 3 - 4 = 9 eggs a day.\nShe makes 9 * 2 = $18 every day.\n#### 18",
            "18",
        ),
        ("The total is $1,234.56.", "1234.56"),
        ("So, the answer is 5 apples.", "5"),
        ("The answer is: $\\frac{3}{4}$", "0.75"),
        ("\\boxed{\\frac{3}{4}}", "0.75"),
        ("\\boxed{\\text{42}}", "42"),
        ("\\boxed{42\\text{ cm}^2}", "42"),
        ("\\boxed{42 \\text{ km/h}}", "42"),
        ("\\boxed{1,000,000}", "1000000"),
        ("$x = 7$", "7"),
        ("x=7, y=3. The answer is 10", "10"),
        ("She has 3 left over, i.e. 3/4 of 4.", "4"),
        ("The answer is 42\n\nLet me verify: 40 + 2 = 42. Yes, 100% correct.", "42"),
        ("Result: 42 km in 3 hours", "42"),
        ("The answer is therefore 42.", "42"),
        ("The answer, rounded to 2 decimals, is 3.14.", "3.14"),
        ("Answer (in meters): 12", "12"),
        ("There are 12 of them (3 per box).", "12"),
        ("about 1.2e-5", "0.000012"),
        ("-17", "-17"),
        ("−17 °C", "-17"),
        ("negative seventeen", "-17"),
        ("€ 1.500,00", None),
        ("1,500.00 €", "1500"),
        ("$ 5", "5"),
        ("5 dollars and 50 cents", "50"),
        ("£3.50", "3.5"),
        ("3,5", None),
        ("1.500", "1.5"),
        ("12:30", None),
        ("100%", "100"),
        ("one hundred twenty-three", "123"),
        ("The answer is zero.", "0"),
        ("zero", "0"),
        ("twenty", "20"),
        ("No number here", None),
        ("It takes 2 to 3 days", None),
        ("2-3", None),
        ("[2, 3]", None),
        ("(2, 3)", None),
        ("2 and 3", None),
        ("±5", None),
        ("≈ 5", "5"),
        ("~5", "5"),
        (">5", "5"),
        ("< 5", "5"),
        ("5+", "5"),
        ("No. 5", "5"),
        ("#5", "5"),
        ("1st", "1"),
        ("5th place", "5"),
        ("v1.2.3", None),
        ("10.000.000", None),
        ("10,000,000", "10000000"),
        ("1,23,456", "123456"),
        ("٣٫١٤", "3.14"),
        ("三", None),
        ("٠", "0"),
        ("\\$1{,}000", "1000"),
        ("$1{,}000{,}000$", "1000000"),
        ("10^{-3}", "0.001"),
        ("1.5 \\times 10^{4}", "15000"),
        ("1.5x10^4", "15000"),
        ("1.5*10^4", "15000"),
        ("6.02·10^23", "602000000000000000000000"),
        ("2³", "8"),
        ("five", "5"),
        ("The final answer is **-3**.", "-3"),
        ("**Final answer:** \\( -3 \\)", "-3"),
        ("Answer: $-3$", "-3"),
        ("The answer is -\\frac{1}{2}", "-0.5"),
        ("\\boxed{-5}", "-5"),
        ("\\boxed{–5}", "-5"),
        ("The area is 25π", None),
        ("25 square meters", "25"),
        ("ANSWER: 5/8", "0.625"),
        ("3 ½ cups", "3.5"),
        ("2 1/4", "2.25"),
        ("He paid $20, got $5 back; the answer is $15. Then he had $50.", "15"),
        ("Total = 5 + 6 = 11 and that's 2 more than 9", "9"),
        ("The answer is 3 (three).", "3"),
        ("Answer: 1 000 000", "1000000"),
        ("Answer: 1’234’567.89", "1234567.89"),
        ("0,5", None),
        ("1/0", None),
        ("Infinity", None),
        ("NaN", None),
        ("The sum of 3 and 4 is 7.", "7"),
        ("7 is the sum of 3 and 4.", None),
        ("There were 5 in 2019.", "2019"),
        ("Step 1: 5+5=10\nStep 2: 10*2=20\nTherefore 20.", "20"),
        ("x = 1.\ny = 2.", "2"),
        ("So 12 eggs (a dozen)", "12"),
        ("a dozen eggs", "12"),
        ("The answer is 1,234 or so", "1234"),
        ("Answer:\n\n$$\n\\boxed{7}\n$$", "7"),
        ("\\[ x = \\boxed{7} \\]", "7"),
        ("The answer is \\boxed{7}. Note: 3 steps.", "7"),
        ("\\boxed{7} and then \\boxed{8}", "8"),
        ("The probability is 0.25 or 25%.", None),
        ("The answer is 25% (0.25).", "25"),
        ("5 minutes 30 seconds", "30"),
    ],
)
def test_the_number_of_a_reply(reply: str, number: str | None) -> None:
    assert read_number(reply) == number
    assert NumberParser().parse(reply) == number


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        ("1,234", "1.234"),
        ("1.234", "1234"),
        ("12,34", "12.34"),
        ("12.34", None),
        ("1.234,5", "1234.5"),
        ("1 000,5", "1000.5"),
        ("Die Antwort ist 3,5.", "3.5"),
    ],
)
def test_the_convention_of_the_decimal_comma(reply: str, number: str | None) -> None:
    assert NumberParser("comma").parse(reply) == number
    with pytest.raises(InputError, match="point"):
        read_number(reply, "dot")  # type: ignore[arg-type]


def test_a_conclusion_is_its_first_sentence() -> None:
    assert parse_conclusion(" 5. Then 7.", NumberParser()) == "5"
    assert parse_conclusion(" 5 to 7. Then 7.", NumberParser()) is None


def test_what_is_a_number_as_a_whole() -> None:
    assert parse_number(" -1,234.50 ") == Fraction(-2469, 2)
    assert parse_number("1/3") == Fraction(1, 3)
    assert parse_number("5 kg") is None
    assert parse_number("12,34") is None
    assert parse_number("") is None


def test_numbers_are_written_in_one_way() -> None:
    for text in ("0", "-0.5", "1234.5", "1/3", "-22/7", "1000000", "0.001"):
        value = parse_number(text)
        assert value is not None and format_number(value) == text


def test_long_replies_take_no_time() -> None:
    started = time.perf_counter()
    for text in ("1 " * 20_000, "1," * 20_000, "(" * 20_000, "9^" * 20_000, "answer " * 10_000):
        read_number(text)
    assert time.perf_counter() - started < 20


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("The answer is 5. Wait, actually it's 7.", "7"),
        ("Answer: 8. Actually, it is correct.", "8"),
        ("A: 8\n\nQ: How many of the 5?", "8"),
        ("0x1F", None),
        ("0x1F is 31", "31"),
    ],
)
def test_what_is_taken_back_and_what_comes_after_the_answer(reply: str, value: str | None) -> None:
    assert read_number(reply) == value
