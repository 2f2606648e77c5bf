"""The recipes on Multi30k without pairs and with few, as they are, on made-up lines."""

import json
import subprocess

from tests.conftest import ROOT
from tests.end_to_end.test_recipes import recipe_environment, unpaired_text


def test_recipes_without_pairs_from_raw_text_to_result(tmp_path):
    """Unsupervised translation, then the semi-supervised recipe in the same folder, which goes on from its stages."""
    small = unpaired_text(tmp_path) + (
        "PRETRAINING+=(--max-update 4)\nBACK_TRANSLATION+=(--max-update 4 --validate-interval-updates 2)"
        "\nPAIRS_ALONE+=(--max-update 4)\nPAIRS_AND_TEXT+=(--max-update 4)\nBOTH+=(--validate-interval-updates 2)\n"
    )
    scores = {}
    for name, pairs, plan in (
        ("unsupervised_multi30k", "en-fr de-en", '"mass+bt 1" "aligned+mass+bt 1 en-fr"'),
        ("semi_supervised_multi30k", "en-fr", '"pairs 1" "pairs+bt 1"'),
    ):
        folder, config = ROOT / "examples" / name, tmp_path / f"{name}.sh"
        config.write_text(f'source "{folder}/config.sh"\n{small}PAIRS=({pairs})\nPLAN=({plan})\n')
        environment = recipe_environment(CONFIG=config, DATA=tmp_path, WORK=tmp_path / "work")
        command = ["bash", str(folder / "run.sh")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
        assert ("pretraining" in done.stdout) == (name == "unsupervised_multi30k")
        result = json.loads((tmp_path / "work" / "result.json").read_text())
        scores[name] = {(score["system"], score["setting"]) for score in result["scores"]}
    both = ("en-fr", "fr-en")
    assert scores["unsupervised_multi30k"] == {
        *((system, setting) for system in ("copy", "mass+bt") for setting in (*both, "de-en", "en-de")),
        *(("aligned+mass+bt", setting) for setting in both),
    }
    assert scores["semi_supervised_multi30k"] == {
        (system, f"{direction}, 40 pairs") for system in ("pairs", "pairs+bt") for direction in both
    }
    head = tmp_path.joinpath("train.en").read_text().splitlines()[0]
    assert head in next(tmp_path.glob("work/halves-*/train.en")).read_text()
