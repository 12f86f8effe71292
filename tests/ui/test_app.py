"""The web workbench, started for real on a free loopback port and driven by Gradio's client."""

from __future__ import annotations

import ast
import importlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tests.helpers.tiny_models import Pair

pytest.importorskip("gradio")

from gradio_client.exceptions import AppError

import promptlab as pl
from promptlab.evaluation import Trace
from promptlab.models import fill_words
from promptlab.ui.app import serve
from promptlab.ui.components.text_fields import LONGEST, read_answers, read_fields, read_templates
from promptlab.ui.context import AppContext
from promptlab.ui.learn.learning_view import LearningView
from promptlab.ui.library import template_list as shelf
from promptlab.ui.library import template_view
from promptlab.ui.playground import fill_cards, labels_section
from promptlab.ui.playground import fill_section as fill
from promptlab.ui.study.run import results_section
from tests.helpers.api_client import ApiClient
from tests.helpers.browser import free_port
from tests.helpers.leaderboard_fixtures import HOSTILE, STEPS, write_runs

UI = Path(str(sys.modules["promptlab.ui"].__file__)).parent


@pytest.fixture(scope="module")
def outside() -> Iterator[list[Any]]:
    """Addresses beyond this machine that anything connects to or looks up."""
    seen: list[Any] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def connecting(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not address[0].startswith(("127.", "::1", "localhost")):
            seen.append(address)
        connect(self, address)

    def looking_up(host: Any, *args: Any, **options: Any) -> Any:
        if host not in (None, "127.0.0.1", "localhost", "::1", b"127.0.0.1"):
            seen.append(host)
        return look_up(host, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connecting)
        patch.setattr(socket, "getaddrinfo", looking_up)
        yield seen


@pytest.fixture(scope="module")
def folder(tiny_causal: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ui") / "model"
    for part in tiny_causal:
        part.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def client(outside: list[Any], folder: Path, runs: Path) -> Iterator[ApiClient]:
    app = serve(port=free_port(), models=[str(folder)], runs=runs, block=False)
    assert app.local_url.startswith("http://127.0.0.1:")
    try:
        yield ApiClient(app.local_url)
    finally:
        app.close(verbose=False)


def test_templates_are_filled_side_by_side(client: ApiClient, folder: Path) -> None:
    texts = ["The capital of {country} is {mask}.", "no slot", "{country} : {mask} of it"]
    rows = client.predict("\n".join(texts), "country = Poland", 3, api_name="/fill")
    assert [row["template"] for row in rows] == texts
    assert "no answer slot" in rows[1]["error"]
    prompt = pl.Template(texts[0]).render({"country": "Poland"})
    known = fill_words(pl.load_model(str(folder)), [prompt], 3)[0]
    assert [fill["token_id"] for fill in rows[0]["fills"]] == [item.token_id for item in known]
    assert rows[0]["prompt"] == str(prompt)
    assert rows[0]["note"] == "" and "left to right" in rows[2]["note"]


def test_tokens_are_what_the_model_reads(client: ApiClient, folder: Path) -> None:
    text = "The capital of {country} is {mask}."
    found = client.predict(text, "country = <b>Poland</b>", api_name="/tokens")
    prompt = pl.Template(text).render({"country": "<b>Poland</b>"})
    model: Any = pl.load_model(str(folder))
    read = [token["id"] for token in found["tokens"] if token["read"]]
    assert tuple(read) == model.prompt_token_ids([prompt])[0]
    assert found["prompt"] == str(prompt) and found["window"] == model.max_tokens
    assert "".join(token["text"] for token in found["tokens"]).endswith(f"{prompt}")
    with pytest.raises(AppError, match="never closed"):
        client.predict("a {mask", api_name="/tokens")


def test_labels_with_and_without_calibration(client: ApiClient, folder: Path) -> None:
    template, answers = "{text} It was {mask}.", {"negative": ["bad"], "positive": ["good"]}
    found = client.predict(
        template, "negative: bad\npositive: good", "text = a film", api_name="/label_probabilities"
    )
    assert list(found["probabilities"]) == ["none", "contextual"]
    for name, shares in found["probabilities"].items():
        model: Any = pl.PromptClassifier(template, answers, str(folder), calibration=name)
        expected = model.predict_proba([{"text": "a film"}])[0]
        assert list(shares.values()) == pytest.approx(list(expected), abs=1e-5)


def test_what_cannot_be_read_is_told(client: ApiClient) -> None:
    with pytest.raises(AppError, match="fields, line 1: expected name = value"):
        client.predict("{a} {mask}", "a Poland", api_name="/fill")
    with pytest.raises(AppError, match="the label 'a' stands twice"):
        client.predict("{mask}", "a: x\na: y", api_name="/label_probabilities")
    with pytest.raises(AppError, match="no task 'nothing'"):
        client.predict("", "nothing", api_name="/templates")


def test_the_library_is_searched_and_rendered(client: ApiClient) -> None:
    rows = client.predict("great", "sentiment", "cloze", api_name="/templates")
    assert rows and all(row["task"] == "sentiment" and row["shape"] == "cloze" for row in rows)
    assert len(client.predict(api_name="/templates")) == len(pl.templates())
    shown = client.predict("sentiment/it-was", api_name="/render_template")
    assert shown.endswith("It was {mask}.")
    with pytest.raises(AppError, match="no template"):
        client.predict("../secret", api_name="/render_template")


def test_studies_are_listed_and_read(client: ApiClient) -> None:
    assert client.predict(api_name="/studies") == ["tiny"]
    assert client.predict("tiny", api_name="/leaderboard")["study"] == "tiny"
    for name in ("begun", "..", "../runs/tiny"):
        with pytest.raises(AppError, match="no decided study"):
            client.predict(name, api_name="/leaderboard")


def test_the_documented_endpoints(client: ApiClient) -> None:
    documented = client.view_api(return_format="dict")
    assert isinstance(documented, dict)
    assert sorted(documented["named_endpoints"]) == [
        "/cancel_study",
        "/compare",
        "/compare_studies",
        "/correct_failure",
        "/estimate_study",
        "/export_templates",
        "/failures",
        "/fill",
        "/generate",
        "/label_probabilities",
        "/leaderboard",
        "/learn",
        "/learning_steps",
        "/learning_trials",
        "/pause_study",
        "/predict",
        "/predict_file",
        "/render_template",
        "/resume_study",
        "/save_template",
        "/saved_prompts",
        "/start_study",
        "/strategies",
        "/strategy",
        "/studies",
        "/study_figure",
        "/study_log",
        "/study_progress",
        "/study_states",
        "/templates",
        "/tokens",
        "/validate_study",
    ]


def test_texts_are_generated(client: ApiClient, folder: Path) -> None:
    given: tuple[Any, ...] = ("a film {text} It was {mask}", "text = nobody .")
    found = client.predict(
        *given, max_tokens=6, temperature=0.9, samples=2, seed=1, api_name="/generate"
    )
    prompt = pl.Template(given[0]).render({"text": "nobody ."})
    decoding = pl.Decoding(6, 0.9, seed=1)
    plain = pl.load_model(str(folder)).generate([prompt] * 2, decoding, samples=range(2))
    assert [one["text"] for one in found["texts"]] == [one.text for one in plain]
    assert found["tokens_in"] == plain[0].tokens_in
    with pytest.raises(AppError, match="write a prompt"):
        client.predict(" ", api_name="/generate")


def test_a_question_is_solved_by_any_strategy(client: ApiClient) -> None:
    listed = {row["name"]: row for row in client.predict(api_name="/strategies")}
    assert listed["tree_game24"]["settings"]["beam"] == 3
    found = client.predict(
        "tree_game24", "numbers = 4 5 6 10", "evaluation = random\nbeam = 2", api_name="/strategy"
    )
    assert found["answer"] and Trace.from_record(found["trace"]).steps
    with pytest.raises(AppError, match="unknown setting 'colour'"):
        client.predict("direct", "", "colour = red", api_name="/strategy")


def test_a_running_search_is_watched(client: ApiClient, runs: Path) -> None:
    assert client.predict("begun", api_name="/learning_trials") == [3]
    assert client.predict("begun", 3, api_name="/learning_steps") == STEPS
    for name, trial in (("tiny", 3), ("../runs/begun", 3), ("begun", 4)):
        with pytest.raises(AppError, match=r"no study named|has taken no steps"):
            client.predict(name, trial, api_name="/learning_steps")
    sight = LearningView.of(AppContext(("tiny",), runs), "begun", None, None)
    drawn = sight.head() + sight.curves() + "".join(sight.words())
    assert drawn.count("<polyline") == 2 and "<script" not in drawn
    assert "<code>&lt;script&gt;alert(1)&lt;/script&gt;</code>" in drawn
    assert "best dev score 0.75 at step 2" in drawn


def test_nothing_outside_was_asked(client: ApiClient, outside: list[Any]) -> None:
    client.predict("{mask}", api_name="/fill")
    assert outside == []


def test_a_login_is_asked_for(folder: Path, runs: Path) -> None:
    import httpx

    options: Any = {"models": [str(folder)], "runs": runs, "block": False}
    app = serve(port=free_port(), login=("promptlab", "secret"), **options)
    try:
        assert httpx.get(f"{app.local_url}config").status_code == 401
        with pytest.raises(pl.InputError, match="the port is taken"):
            serve(port=int(app.server_port), **options)
    finally:
        app.close(verbose=False)


def test_texts_are_shown_as_text(causal: Any, runs: Path) -> None:
    rows = fill.fill_templates(causal, f"{HOSTILE}{{x}} {{mask}}\n{HOSTILE}", f"x = {HOSTILE}", 3)
    scored = labels_section.label_probabilities(
        causal, f"{HOSTILE} {{mask}}", f"a: bad\n{HOSTILE}: good", "", "pmi"
    )
    item = shelf.find_templates("", "sentiment")[0]
    drawn = [
        fill_cards.fill_html(rows),
        labels_section.label_cards_html(scored),
        shelf.template_list_html([item]),
        template_view.template_facts(item),
        results_section.results_html(results_section.read_leaderboard(runs, "tiny")),
    ]
    assert "<script" not in "".join(drawn)
    assert all("&lt;script&gt;" in text for text in (drawn[0], drawn[1], drawn[4]))


def test_a_board_shows_intervals_and_standing(runs: Path) -> None:
    drawn = str(results_section.results_html(results_section.read_leaderboard(runs, "tiny")))
    assert "left:33.33%;width:66.67%" in drawn  # 0.5 to 0.9 where all rows lie in 0.3 to 0.9
    for text in ("best on dev", "worse, p = 0.01", "majority", "no slot", "7.5"):
        assert text in drawn
    assert "no trials" in results_section.results_html({"trials": []})
    assert results_section.undecided_studies(runs) == ["begun"]


def test_boxes() -> None:
    assert read_templates("a {mask}\\nb\n\n c") == ["a {mask}\nb", " c"]
    assert read_fields("a = x = y\n\nb=") == {"a": "x = y", "b": ""}
    assert read_answers("good: fine, very good\nbad: poor") == {
        "good": ["fine", "very good"],
        "bad": ["poor"],
    }
    for faulty in ("", "{mask}\n" * 9, "x" * (LONGEST + 1)):
        with pytest.raises(pl.InputError):
            read_templates(faulty)


def test_a_prompt_longer_than_the_window_is_told(causal: Any) -> None:
    row = fill.fill_templates(causal, "{x} {mask}", f"x = {'film ' * 5000}", 3)[0]
    assert f"takes {causal.max_tokens}" in row["error"]


def test_only_public_names_are_used() -> None:
    """Those of promptlab itself, and those in the `__all__` of a documented subpackage."""
    for path in UI.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names if alias.name.startswith("promptlab")]
                assert set(names) <= {"promptlab"}, path
            elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("promptlab."):
                face = importlib.import_module(str(node.module))
                assert str(node.module).count(".") == 1, path
                assert {alias.name for alias in node.names} <= set(face.__all__), path
            elif (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "pl"
            ):
                assert node.attr in pl.__all__, (path, node.attr)


def test_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlab.cli.ui import ui

    for name in [name for name in sys.modules if name.startswith("promptlab.ui.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gradio", None)
    app = typer.Typer()
    app.command()(ui)
    result = CliRunner().invoke(app, [])
    assert isinstance(result.exception, pl.InputError)
    assert 'pip install "promptlab-workbench[ui]"' in str(result.exception)
