"""``promptlab model``: list, check."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from promptlab.cli.app import app
from promptlab.errors import InputError
from tests.helpers.tiny_models import Pair


@pytest.fixture(autouse=True)
def short_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptlab.cli.model._MEASURED_SECONDS", 0.05)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["model", *arguments])


def document(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout)


def test_list_says_what_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path))
    (tmp_path / "models" / "bert-tiny").mkdir(parents=True)
    rows = {row["name"]: row for row in document("list")}
    assert {name: row["cached"] for name, row in rows.items()} == {
        "smollm2-135m": False,
        "bert-tiny": True,
    }
    assert rows["smollm2-135m"]["default"]
    assert {"family", "parameters", "size_bytes", "licence", "source"} <= set(rows["bert-tiny"])
    lines = run("list").stdout.splitlines()
    assert lines[1].split()[:4] == ["smollm2-135m", "causal", "134.5", "M"]


@pytest.mark.parametrize(
    ("pair", "family", "shares", "writes"),
    [
        ("tiny_causal", "causal", True, True),
        ("tiny_sliding", "causal", False, True),
        ("tiny_masked", "masked", False, False),
        ("tiny_seq2seq", "seq2seq", False, True),
    ],
)
def test_check_tells_what_a_model_can_do(
    pair: str,
    family: str,
    shares: bool,
    writes: bool,
    folder_of: Callable[..., Path],
    request: pytest.FixtureRequest,
) -> None:
    folder = str(folder_of(request.getfixturevalue(pair)))
    row = document("check", folder, "--device", "cpu", "--dtype", "float32")
    assert row["name"] == folder
    assert row["family"] == family
    assert (row["device"], row["dtype"]) == ("cpu", "float32")
    assert row["fast_paths"]["shared_prefixes"] is shares
    assert row["fast_paths"]["slot_only_head"] is True
    assert ("generate" in row["capabilities"]) is writes
    assert row["read_tokens_per_second"] > 0
    assert (row["written_tokens_per_second"] is not None) is writes
    assert row["parameters"] > 1000
    assert row["max_tokens"] >= 256


def test_check_prints_a_line_a_fact(tiny_causal: Pair, folder_of: Callable[..., Path]) -> None:
    folder = str(folder_of(tiny_causal))
    lines = {
        line[:14].strip(): line[15:]
        for line in run("check", folder, "--dtype", "float32").stdout.splitlines()
    }
    assert lines["model"] == folder
    assert lines["window"] == "256 tokens"
    assert lines["shared prefix"] == "yes"
    assert "chat" in lines["can"]


def test_check_does_not_keep_features(
    tiny_causal: Pair, folder_of: Callable[..., Path], own_cache: Path
) -> None:
    before = set((own_cache / "features").glob("*"))
    assert run("check", str(folder_of(tiny_causal))).exit_code == 0
    assert set((own_cache / "features").glob("*")) == before


def test_check_refuses_what_is_no_model(
    tmp_path: Path, tiny_causal: Pair, folder_of: Callable[..., Path]
) -> None:
    assert isinstance(run("check", str(tmp_path)).exception, InputError)
    assert isinstance(run("check", str(tmp_path / "none")).exception, InputError)
    folder = folder_of(tiny_causal)
    wrong = run("check", str(folder), "--dtype", "int3").exception
    assert isinstance(wrong, InputError)
    assert "float32" in str(wrong)
    (folder / "model.safetensors").unlink()
    without = run("check", str(folder)).exception
    assert isinstance(without, InputError)
    assert "no weights" in str(without)


def test_check_tells_a_model_that_computes_no_numbers(folder_of: Callable[..., Path]) -> None:
    import torch

    from tests.helpers import tiny_models

    model, tokenizer = tiny_models.llama()
    with torch.no_grad():
        model.model.embed_tokens.weight[20:].fill_(float("nan"))
    result = run("check", str(folder_of((model, tokenizer))), "--dtype", "float32")
    assert isinstance(result.exception, InputError)
    assert "embed_tokens.weight" in str(result.exception)
    assert "model.safetensors holds NaN or infinity" in str(result.exception)
