"""Four files as people bring them: tickets, reviews, yes/no questions, open questions."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

TICKETS = {
    "account": [
        ("Cannot log in", "Since yesterday my password is refused although I reset it twice."),
        ("Locked out", "After three wrong attempts the site says my profile is blocked."),
        ("Change of address", "I moved house and my login still shows the old e-mail address."),
        ("Two-factor code", "The text message with the code for signing in never arrives."),
        ("Delete my profile", "Please remove my user profile and everything stored in it."),
        ("Username taken", "I signed up last year and now I am told my user name is taken."),
    ],
    "billing": [
        ("Charged twice", "My card was charged two times for the same month."),
        ("Wrong invoice", "The invoice shows a price that is higher than in our contract."),
        ("Payment failed", "My bank says the payment went out, your page says it failed."),
        ("VAT number", "Our tax number is missing on the bill, accounting needs it."),
        ("Annual plan", "I was billed for a year although I chose to pay every month."),
        ("Receipt", "Could you send me a receipt for the amount you took in May?"),
    ],
    "shipping": [
        ("Where is my parcel", "The tracking page has said 'in transit' for nine days."),
        ("Left in the rain", "The courier dropped the box at the gate and it got soaked."),
        ("Wrong door", "The package was delivered to a neighbour I do not know."),
        ("Express delivery", "I paid for delivery overnight and it took four days."),
        ("Second box missing", "Two boxes were sent and only one of them was delivered."),
        ("Delivery date", "Can the truck come on Friday instead of Wednesday?"),
    ],
    "technical": [
        ("App crashes", "The app closes as soon as I open the settings screen."),
        ("Blank page", "After the last update the dashboard is an empty white page."),
        ("Export error", "Exporting to a spreadsheet ends with error 500 every time."),
        ("Slow search", "Searching takes a minute and then the browser freezes."),
        ("Printer", "The device is no longer found by the software on my laptop."),
        ("Sync", "Photos from my phone do not show up on the computer any more."),
    ],
}
_OPENINGS = ["Hello,", "Hi there,", "Good morning,", "Dear team,", "To whom it may concern,"]
_CLOSINGS = ["Please help.", "What can I do?", "This is urgent.", "Thanks in advance.", "Regards"]

OPINIONS = {
    1: ["filthy from top to bottom", "the worst night of my life", "rude, loud and broken",
        "a disgrace, we left after an hour", "bedbugs and no apology"],
    2: ["rather shabby and too dear", "below what the pictures promise", "noisy and a bit dirty",
        "slow and unfriendly most of the time", "disappointing for the price"],
    3: ["neither good nor bad", "fine for one night, no more", "average in every way",
        "acceptable, with a few flaws", "what you would expect for the money"],
    4: ["clean and quite comfortable", "friendly and well kept", "good value, small flaws",
        "pleasant, we would come again", "better than most in its class"],
    5: ["perfect in every detail", "the best we have ever had", "flawless and so friendly",
        "an absolute delight", "outstanding, we did not want to leave"],
}  # fmt: skip
_STAYS = {
    "hotel": ["Our room was {}.", "The staff and the breakfast: {}.",
              "Three nights in this hotel, {}.",
              "Reception, lobby, bed: {}.", "We stayed with two children. The room was {}."],
    "blender": ["This blender is {}.", "Used it daily for smoothies: {}.",
                "The jug and the blades: {}.",
                "Bought the blender in March. It is {}.", "For soups and smoothies it is {}."],
}  # fmt: skip

FACTS = [
    ("The Aldern bridge was opened in 1931 and is closed to lorries.", [
        ("Is the bridge open to lorries?", "no"), ("Was the bridge opened before 1950?", "yes"),
        ("Was the bridge opened in 1951?", "no"), ("Do lorries have to take another way?", "yes")]),
    ("Kites of the northern breed nest in old oaks and lay two eggs.", [
        ("Do the northern kites nest in trees?", "yes"), ("Do they lay five eggs?", "no"),
        ("Do they nest in old oaks?", "yes"), ("Do they nest on the ground?", "no")]),
    ("The library lends books for four weeks; films are due after one.", [
        ("May a book be kept for three weeks?", "yes"),
        ("May a film be kept for three weeks?", "no"),
        ("Are films due after a week?", "yes"), ("Are books due after one day?", "no")]),
    ("Mount Serra is 2,114 metres high and was first climbed in winter.", [
        ("Is Mount Serra higher than 2,000 metres?", "yes"),
        ("Is it higher than 3,000 metres?", "no"),
        ("Was the first climb in winter?", "yes"), ("Was it first climbed in summer?", "no")]),
    ("The bakery uses rye flour only and is shut on Mondays.", [
        ("Is the bakery open on Mondays?", "no"), ("Is rye flour used?", "yes"),
        ("Does it use wheat flour?", "no"), ("Is the bakery shut on one day?", "yes")]),
    ("Line 7 runs every ten minutes until midnight, at night it does not run.", [
        ("Does line 7 run at three in the night?", "no"),
        ("Does line 7 run every ten minutes?", "yes"),
        ("Does it run after midnight?", "no"), ("Can one take it at noon?", "yes")]),
    ("The old mill grinds corn with water and has three wheels.", [
        ("Is the mill driven by wind?", "no"), ("Does the mill have three wheels?", "yes"),
        ("Does it grind corn?", "yes"), ("Does it have seven wheels?", "no")]),
    ("Doctor Hale sees children in the morning and adults after lunch.", [
        ("Are adults seen after lunch?", "yes"), ("Are children seen in the evening?", "no"),
        ("Does Doctor Hale see children?", "yes"), ("Are adults seen in the morning?", "no")]),
    ("The ferry carries cars, but no trains, and needs forty minutes.", [
        ("Does the ferry carry cars?", "yes"), ("Does the ferry carry trains?", "no"),
        ("Does the crossing take less than an hour?", "yes"), ("Does it take two hours?", "no")]),
    ("Silver birches grow fast, need much light and seldom reach ninety years.", [
        ("Do silver birches grow fast?", "yes"), ("Do they like deep shade?", "no"),
        ("Do they need much light?", "yes"), ("Do most reach two hundred years?", "no")]),
    ("The school has a garden of its own, in which pupils grow beans.", [
        ("Does the school have a garden?", "yes"), ("Do teachers alone work in it?", "no"),
        ("Do pupils grow beans?", "yes"), ("Is the garden rented?", "no")]),
    ("The castle lost its roof in a fire and was never lived in again.", [
        ("Is somebody living in the castle?", "no"), ("Did the castle burn?", "yes"),
        ("Was the roof lost in a flood?", "no"), ("Did it lose its roof?", "yes")]),
    ("The museum is free for pupils; adults pay eight pounds.", [
        ("Do pupils pay?", "no"), ("Do adults pay eight pounds?", "yes"),
        ("Is it free for adults?", "no"), ("Is it free for pupils?", "yes")]),
    ("Otters came back to the river once the paper mill had closed.", [
        ("Is the paper mill still at work?", "no"), ("Are there otters in the river?", "yes"),
        ("Did otters come back?", "yes"), ("Did the mill open again for the otters?", "no")]),
    ("The choir sings in Latin and meets on Thursdays in the old chapel.", [
        ("Does the choir meet on Thursdays?", "yes"), ("Does the choir sing in French?", "no"),
        ("Does it meet in a chapel?", "yes"), ("Does it meet on Sundays?", "no")]),
]  # fmt: skip

CAPITALS = {
    "France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Germany": "Berlin", "Japan": "Tokyo",
    "Russia": "Moscow", "China": "Beijing", "Egypt": "Cairo", "Greece": "Athens", "Cuba": "Havana",
    "Austria": "Vienna", "Poland": "Warsaw", "Norway": "Oslo", "Sweden": "Stockholm",
    "Ireland": "Dublin", "Portugal": "Lisbon", "Hungary": "Budapest", "Canada": "Ottawa",
    "Kenya": "Nairobi", "Peru": "Lima", "Iran": "Tehran", "Iraq": "Baghdad", "Turkey": "Ankara",
    "Finland": "Helsinki", "Denmark": "Copenhagen", "Thailand": "Bangkok", "Chile": "Santiago",
    "Belgium": "Brussels", "Syria": "Damascus", "Ukraine": "Kyiv",
}  # fmt: skip
_ASKING = ["What is the capital of {}?", "Which city is the capital of {}?", "{}: which capital?"]


def write_tickets(folder: Path) -> Path:
    """120 support tickets with ``queue``, ``subject`` and ``body``."""
    rows = []
    for queue, tickets in TICKETS.items():
        for number in range(30):
            subject, body = tickets[number % len(tickets)]
            opening = _OPENINGS[number // len(tickets) % len(_OPENINGS)]
            closing = _CLOSINGS[(number + number // len(tickets)) % len(_CLOSINGS)]
            rows.append((f"T-{len(rows) + 1:04}", queue, subject, f"{opening} {body} {closing}"))
    return _csv(folder / "tickets.csv", ("id", "queue", "subject", "body"), rows)


def write_stars(folder: Path, thing: str) -> Path:
    """125 reviews of a hotel or a blender with ``review`` and ``stars``."""
    rows = []
    for stars, opinions in OPINIONS.items():
        for frame in _STAYS[thing]:
            rows += [(frame.format(opinion), stars) for opinion in opinions]
    return _csv(folder / f"{thing}-reviews.csv", ("review", "stars"), rows)


def write_yes_no(folder: Path) -> Path:
    """Sixty questions over passages as JSON Lines, answered yes or no."""
    path = folder / "boolq-like.jsonl"
    lines = [
        json.dumps({"passage": passage, "question": question, "answer": answer})
        for passage, questions in FACTS
        for question, answer in questions
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def write_open(folder: Path) -> Path:
    """Ninety questions with a name for an answer."""
    rows = [
        (frame.format(country), capital)
        for frame in _ASKING
        for country, capital in CAPITALS.items()
    ]
    return _csv(folder / "questions.csv", ("question", "answer"), rows)


def _csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([columns, *rows])
    return path
