"""The recipes of MSM on tiny local copies of their files, down to result.json and the picture."""

import gzip
import hashlib

import pytest
from fairseq.checkpoint_utils import load_checkpoint_to_cpu

from tests import msm_mirror
from tests.learning.test_retrieval_recipes import ROOT, TINY, run_recipe
from tests.unit.interop.test_huggingface_encoder import make_folder

SETTINGS = {
    f"{test}, {when}" for test in ("tatoeba", "verses", "lareqa") for when in ("zero-shot", "fine-tuned on English")
}
ACCURACY = ("accuracy", "accuracy, forward", "accuracy, backward")
METRICS = {"tatoeba": ACCURACY, "verses": ACCURACY, "lareqa": ("mAP@20",)}


@pytest.fixture
def small(tmp_path):
    msm_mirror.write_small_mirror(tmp_path / "mirror")
    config = (ROOT / "examples" / "msm_small" / "config.sh").read_text()
    for line in ("START_UPDATES=", "\nUPDATES=", "FINE_UPDATES="):  # of which other settings are made
        begin = config.index(line) + len(line)
        config = config[:begin] + "12" + config[config.index("\n", begin) :]
    sums = " ".join(
        f"[{name}]={hashlib.sha256(text.encode()).hexdigest()}" for name, text in msm_mirror.scifact().items()
    )
    config += f"""
LANGUAGES=(en de fr) PICTURE=(en de fr) VOCABULARY=200 SEEDS=(1) ABLATION_SEEDS=(1)
SYSTEMS=(start mlm cmlm no-cross msm mlm-cls)
ALIGNMENT=()
SHAPE=({TINY} --max-positions 256)
DOCUMENTS=(--unit-tokens 24 --units 8 --min-units 4)
BIBLES=(ASV GerElb1871 FrePGR) TATOEBA_CODES=(deu fra) XQUAD_LANGUAGES=(en de)
unset "DOCS[es]" "DOCS[ja]"
declare -A SCIFACT_SUMS=({sums})
"""
    (tmp_path / "config.sh").write_text(config)
    return tmp_path


def test_small(small):
    """Every system in every setting; again, and there is nothing left to do."""
    mirror = {"DATA": "", "MIRROR": f"file://{small}/mirror"}
    result = run_recipe("msm_small", small, **mirror)
    systems = {"start", "mlm", "cmlm", "no-cross", "msm", "mlm-cls"}
    assert {(score["setting"], score["metric"], score["system"]) for score in result["scores"]} == {
        (setting, metric, system)
        for setting in SETTINGS for metric in METRICS[setting.split(",")[0]] for system in systems
    }  # fmt: skip
    assert all(score["seeds"] == [1] for score in result["scores"])
    assert len(list((small / "work").glob("mlm*.1-*/checkpoint_last.pt"))) == 1  # mlm-cls has that of mlm
    assert len(list((small / "work").glob("mlm-cls.1.fine-*/checkpoint_last.pt"))) == 1
    tested = {(test["system"], test["setting"]) for test in result["comparisons"]}
    assert tested == {(system, setting) for setting in SETTINGS for system in ("start", "mlm", "cmlm", "no-cross")}
    assert next((small / "work").glob("picture-*/vectors.png")).read_bytes().startswith(b"\x89PNG")
    assert run_recipe("msm_small", small, **mirror)["scores"] == result["scores"]


def test_full_from_a_mirror(tmp_path):
    """Every download, XLM-R's import, two languages in jobs of their own, all tests before and after fine-tuning."""
    msm_mirror.write_full(tmp_path)
    make_folder(tmp_path / "xlmr", "xlm-roberta")
    small = "--encoder-layers 2 --encoder-embed-dim 24 --encoder-ffn-embed-dim 40 --encoder-attention-heads 3"
    config = (ROOT / "examples" / "msm_full" / "config.sh").read_text()
    config += f"""
LANGUAGES=(de zh) MOST_LINES=200 DOCUMENTS=(--unit-tokens 24 --units 4) TATOEBA_LANGUAGES=(deu) XQUAD_LANGUAGES=(de en)
GPUS_OF_A_BATCH=2 SEEDS=(1 2) SHAPE=({small} --max-positions 64)
OPTIMIZER=(--optimizer adam --lr-scheduler polynomial_decay --disable-validation --log-interval 1)
MSM=(--task msm_pretraining --criterion msm --units-per-document 4 --document-weight 8.64 --language-alpha 0.3
    --sample-break-mode complete --tokens-per-sample 60 --long-lines truncate --lr 1e-3 --max-tokens 600
    --total-num-update 4 --max-update 4)
FINE_TUNING=(--task retrieval_finetuning --criterion retrieval --representation cls --cls-dim 0 --query-tokens 16
    --passage-tokens 40 --group-size 2 --lr 1e-3 --total-num-update 3 --max-update 3)
BATCH_OF_QUESTIONS=8 TEXTS_AT_ONCE=6
REPRESENT=(--batch-tokens 500)
"""
    (tmp_path / "config.sh").write_text(config)
    variables = {"MIRROR": f"file://{tmp_path}/mirror", "XLMR": str(tmp_path / "xlmr"), "PROCESSES": "1", "DATA": ""}
    variables |= {"MRTYDI": str(tmp_path / "mrtydi"), "XOR": str(tmp_path / "xor")}
    result = run_recipe("msm_full", tmp_path, **variables)
    found = {(score["system"], score["setting"], score["metric"]) for score in result["scores"]}
    metrics = {"tatoeba": "accuracy", "lareqa": "mAP@20"}
    settings = {(f"{test}, {when}", metric) for test, metric in metrics.items() for when in ("zero-shot", "fine-tuned")}
    settings |= {("Mr.TyDi, german", "MRR@100"), ("Mr.TyDi, german", "Recall@100")}
    settings |= {("XOR-Retrieve", "R@2kt"), ("XOR-Retrieve", "R@5kt")}
    assert found == {(system, *setting) for system in ("xlm-r", "msm") for setting in settings}
    for score in result["scores"]:
        assert score["seeds"] == ([1] if score["setting"].endswith("zero-shot") else [1, 2]), score
    cut = next((tmp_path / "work").glob("text.zh-*/documents.txt.gz"))
    assert sum(1 for line in gzip.open(cut) if line.strip()) == 192  # whole documents of 24 lines
    groups = next((tmp_path / "work").glob("questions-*/groups.jsonl")).read_text().splitlines()
    assert len(groups) == 16  # not the one without a hard negative
    state = load_checkpoint_to_cpu(str(next((tmp_path / "work").glob("pretraining-*/checkpoint_last.pt"))))
    assert state["cfg"]["optimization"]["update_freq"] == [2]
    state = load_checkpoint_to_cpu(str(next((tmp_path / "work").glob("msm.2.fine-*/checkpoint_last.pt"))))
    assert state["cfg"]["optimization"]["update_freq"] == [1] and state["cfg"]["dataset"]["batch_size"] == 8
    assert state["cfg"]["task"]["cache_texts"] == 6
