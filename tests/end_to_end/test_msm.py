"""Documents to vectors to scores by the real commands: MSM, CMLM, fully-explored masking, Tatoeba, LAReQA."""

import json

import numpy as np
import pytest
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

from mass_plugins.cli import main as mass_plugins
from mass_plugins.errors import InputError
from preprocess import prepare_documents
from tests import tiny, tiny_encoder

SHAPE = (
    "--encoder-layers 1 --encoder-embed-dim 16 --encoder-ffn-embed-dim 16 --encoder-attention-heads 2 "
    "--max-positions 64"
).split()
TRAINING = "--optimizer adam --lr 0.003 --max-tokens 600 --num-workers 0 --log-format json --log-interval 1".split()
MSM = ["--task", "msm_pretraining", "--arch", "msm_tiny", *SHAPE, "--criterion", "msm", *TRAINING]
CMLM = ["--task", "cmlm_pretraining", "--arch", "cmlm_tiny", *SHAPE, "--criterion", "masked_tokens", *TRAINING]
MLM = ["--task", "mlm_pretraining", "--arch", "text_encoder_tiny", *SHAPE, "--criterion", "masked_tokens", *TRAINING]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data-bin and, beside it, documents of the same tokenizer."""
    folder = tmp_path_factory.mktemp("msm")
    (folder / "data-bin").mkdir()
    tiny_encoder.make_data_bin(folder / "data-bin")
    words = ["--like", str(folder / "data-bin"), "--destdir", str(folder / "documents"), "--unit-tokens", "16"]
    words += ["--units", "4", "--min-units", "2", "--workers", "1"]
    for flag, count in (("--documents", 200), ("--valid-documents", 20)):
        for language in tiny_encoder.LANGUAGES:
            lines = tiny.sentences(count, [language], f"documents {flag} {language}")[language]
            text = "\n\n".join("\n".join(lines[begin : begin + 10]) for begin in range(0, count, 10))
            (folder / f"{flag[2:]}.{language}.txt").write_text(text + "\n")
            words += [flag, f"{language}={folder}/{flag[2:]}.{language}.txt"]
    assert prepare_documents.main(words) == 0
    return folder


def test_documents(data):
    report = json.loads((data / "documents" / "documents.json").read_text())
    row = next(row for row in report["corpora"] if row["split"] == "train" and row["language"] == "de")
    counts, sizes = row["counts"], np.load(data / "documents" / "train.de.documents.npy")
    assert counts["documents read"] == 20 and counts["lines read"] == 200
    dropped = sum(count for name, count in counts.items() if name.startswith("units dropped"))
    assert sizes.sum() == counts["units made"] - dropped and sizes.min() >= 2 and sizes.max() == 4


def test_documents_are_made_once_and_whole(data, tmp_path, capsys):
    """The same text and flags do nothing, unless a file is missing; others are named."""
    words = ["--like", str(data / "data-bin"), "--destdir", str(tmp_path / "documents"), "--unit-tokens", "16"]
    words += ["--units", "4", "--min-units", "2", "--workers", "1", "--documents", f"de={data}/documents.de.txt"]
    assert prepare_documents.main(words) == 0 and prepare_documents.main(words) == 0
    assert "nothing to do" in capsys.readouterr().out
    folder = tmp_path / "documents"
    for name in ("train.de-None.de.bin", "train.de.documents.npy", "tokenizer.json"):
        before = (folder / name).read_bytes()
        (folder / name).unlink()
        (folder / "mine").touch()
        with pytest.raises(InputError, match=f"lacks {name} and holds mine, which prepare_documents.py didn't write"):
            prepare_documents.main(words)
        (folder / "mine").unlink()
        assert prepare_documents.main(words) == 0 and (folder / name).read_bytes() == before
        assert f"prepare_documents.py: {folder} lacks {name}; making it again" in capsys.readouterr().err
    for more, changed in (
        (["--no-packing"], "packing was True and is False"),
        (["--documents", words[-1]], "--documents de changed"),
    ):
        with pytest.raises(
            InputError, match=f"holds data made from other text or flags \\({changed}\\); give --overwrite"
        ):
            prepare_documents.main([*words, *more])
    (folder / "documents.json").write_text("[]")
    with pytest.raises(InputError, match="exists and holds no documents.json"):
        prepare_documents.main(words)


def test_train_encode_evaluate(data, tmp_path, run_fairseq, capsys):
    where = [data / "data-bin", "--documents", data / "documents", "--save-dir", tmp_path / "msm"]
    said = run_fairseq("train", *where, *MSM, "--units-per-document", "4", "--max-update", "8").output
    assert '"train_unit_loss"' in said and '"train_mlm_loss"' in said and '"valid_unit_accuracy"' in said
    goes_on = run_fairseq("train", *where, *MSM, "--units-per-document", "4", "--max-update", "10").output
    assert "Loaded checkpoint" in goes_on
    checkpoint = str(tmp_path / "msm" / "checkpoint_last.pt")
    text = tiny.sentences(9, tiny_encoder.LANGUAGES, "tatoeba")
    for language, lines in text.items():
        (tmp_path / f"t.{language}").write_text("".join(line + "\n" for line in lines))
    pairs = f"de={tmp_path}/t.de,{tmp_path}/t.en"
    assert mass_plugins(["evaluate", "tatoeba", checkpoint, "--pairs", pairs, "--json", f"{tmp_path}/t.json"]) == 0
    found = json.loads((tmp_path / "t.json").read_text())["pairs"]["de"]
    assert found["pairs"] == len(found["forward_hits"]) == 9
    assert found["backward"] == pytest.approx(100 * found["backward_hits"].count("1") / 9)
    words = ["evaluate", "lareqa", checkpoint, "--json", f"{tmp_path}/l.json", "--xquad"]
    for language, lines in text.items():
        breaks = [[0, len(lines[0])], [len(lines[0]) + 1, len(lines[0]) + 1 + len(lines[1])]]
        answer = {"answer_start": breaks[1][0], "text": lines[1][:2]}
        paragraph = {"context": f"{lines[0]} {lines[1]}", "sentence_breaks": breaks}
        paragraph["qas"] = [{"id": "q", "question": lines[2], "answers": [answer]}]
        (tmp_path / f"{language}.json").write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
        words.append(f"{language}={tmp_path}/{language}.json")
    assert mass_plugins(words) == 0
    found = json.loads((tmp_path / "l.json").read_text())
    assert set(found["mAP@20"]) == {"all", "de", "en"}
    assert found["questions"]["de"]["q"] == pytest.approx(found["mAP@20"]["de"], abs=1e-4)
    assert mass_plugins(["evaluate", "tatoeba", checkpoint, "--pairs", f"x={tmp_path}/t.de"]) == 1


def flags_of(*words):
    """fairseq-train's configuration."""
    arguments = options.parse_args_and_arch(options.get_training_parser(), list(map(str, words)))
    return convert_namespace_to_omegaconf(arguments)


@pytest.mark.parametrize(
    "share, flags",
    [
        (0.5, "--max-tokens 600"),
        (0.25, "--max-tokens 600 --mask-sets 4"),
        (0.5, "--max-tokens 600 --batch-size 8"),
        (0.5, "--batch-size 2"),
    ],
)
def test_share_of_the_batches_that_are_text(share, flags, data):
    """Whatever a batch is limited by, and both kinds count alike: masked tokens of one are units of the other."""
    words = [data / "data-bin", "--documents", data / "documents", *MSM, "--text-share", share]
    at = words.index("--max-tokens")
    words[at : at + 2] = flags.split()
    cfg = flags_of(*words)
    task = tasks.setup_task(cfg.task)
    task.load_dataset("train")
    dataset = task.dataset("train")
    batches = dataset.batch_by_size(
        dataset.ordered_indices(),
        max_tokens=cfg.dataset.max_tokens,
        max_sentences=cfg.dataset.batch_size,
        required_batch_size_multiple=cfg.dataset.required_batch_size_multiple,
    )
    found = [dataset.collater([dataset[int(place)] for place in places]) for places in batches]
    units = [len(batch["documents"]["document"]) for batch in found if "documents" in batch]
    tokens = [batch["ntokens"] for batch in found if "documents" not in batch]
    assert len(tokens) == pytest.approx(share / (1 - share) * len(units), abs=2)
    assert task.balance == pytest.approx(np.mean(tokens) / np.mean(units), rel=0.25)  # few batches


def test_cmlm_and_msm_start_from_mlm(data, tmp_path, run_fairseq):
    flags = ["--mask-sets", "3", "--max-update", "2", "--save-dir", tmp_path / "mlm"]
    run_fairseq("train", data / "data-bin", *MLM, *flags)
    start = ["--pretrained-checkpoint", tmp_path / "mlm" / "checkpoint_last.pt", "--max-update", "2"]
    done = run_fairseq("train", data / "documents", *CMLM, *start, "--save-dir", tmp_path / "cmlm")
    assert '"train_accuracy"' in done.output
    start[-1] = "1"
    where = [data / "data-bin", "--documents", data / "documents", "--units-per-document", "4", "--no-save"]
    run_fairseq("train", *where, *MSM, *start)


def test_resuming_with_another_document_encoder_is_refused(data, tmp_path, run_fairseq):
    """Its weights would fit."""
    msm = [data / "data-bin", "--documents", data / "documents", *MSM, "--units-per-document", "4"]
    msm += ["--save-dir", tmp_path / "msm"]
    run_fairseq("train", *msm, "--max-update", "1")
    done = run_fairseq("train", *msm, "--document-context", "none", "--max-update", "2", expect=None)
    said = done.stderr.splitlines()[-1]
    assert "checkpoint_last.pt was trained with --document-context document, not none; set it as it was" in said


@pytest.mark.parametrize("max_tokens", (60, 400))
def test_max_tokens_count_both_units_of_a_pair(max_tokens, data):
    task = tasks.setup_task(flags_of(data / "documents", *CMLM).task)
    task.load_dataset("train")
    dataset = task.dataset("train")
    seen = []
    for places in dataset.batch_by_size(dataset.ordered_indices(), max_tokens=max_tokens):
        net_input = dataset.collater([dataset[int(place)] for place in places])["net_input"]
        assert net_input["src_tokens"].numel() + net_input["condition_tokens"].numel() <= max_tokens * 1.2
        seen += [int(place) for place in places]
    assert sorted(seen) == list(range(len(dataset)))
    with pytest.raises(InputError, match="--max-tokens 12"):
        dataset.batch_by_size(dataset.ordered_indices(), max_tokens=12)


def test_what_does_not_fit_together_is_refused(data, run_fairseq):
    msm = [data / "data-bin", "--documents", data / "documents", *MSM]
    for words, message in (
        ([data / "data-bin", *MSM], "set --documents"),
        (
            [data / "data-bin", "--documents", data / "documents", *MSM, "--criterion", "masked_tokens"],
            "set --criterion msm",
        ),
        ([data / "data-bin", *MLM, "--criterion", "msm"], "set --criterion masked_tokens"),
        ([data / "documents", *CMLM, "--criterion", "msm"], "set --criterion masked_tokens"),
        (
            [*msm, "--arch", "text_encoder_tiny"],
            "--arch text_encoder_tiny lacks the modules that this task trains; set --arch msm",
        ),
        ([*msm, "--arch", "cmlm_tiny"], "set --arch msm, msm_tiny"),
        ([data / "documents", *CMLM, "--arch", "msm_tiny"], "set --arch cmlm, cmlm_tiny"),
        ([data / "documents", *CMLM, "--arch", "text_encoder_tiny"], "set --arch cmlm, cmlm_tiny"),
        ([*msm, "--head-dim", "-3"], "--head-dim -3"),
        ([*msm, "--units-per-document", "3"], "document 1 has 4 units, more than --units-per-document 3"),
    ):
        done = run_fairseq("train", *words, "--max-update", "1", "--no-save", expect=None)
        assert message in done.stderr.splitlines()[-1], done.stderr[-1000:]
