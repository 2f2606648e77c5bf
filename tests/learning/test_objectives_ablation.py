"""The recipe that compares objectives of pre-training, tiny, from raw text to result."""

import json
import subprocess

from tests.end_to_end.test_recipes import ROOT, recipe_environment, unpaired_text


def test_all_objectives_with_few_pairs_and_with_none(tmp_path):
    small = unpaired_text(tmp_path)
    name = ROOT / "examples" / "mass_objectives_ablation"
    (tmp_path / "config.sh").write_text(
        f'source "{name}/config.sh"\n{small}UPDATES=5\nSEEDS=(1)\nPRETRAINING+=(--max-update 3)\n'
        "BACK_TRANSLATION+=(--max-update 2 --validate-interval-updates 2)\n"
    )
    environment = recipe_environment(CONFIG=tmp_path / "config.sh", DATA=tmp_path, WORK=tmp_path / "work")
    done = subprocess.run(
        ["bash", name / "run.sh"], env=environment, capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    scores = json.loads((tmp_path / "work" / "result.json").read_text())["scores"]
    settings = ("de-en, 40 pairs", "en-fr, no pairs", "fr-en, no pairs")
    assert {(score["system"], score["setting"]) for score in scores} == {
        (system, setting) for system in ("MASS", "DAE", "BERT+LM") for setting in settings
    }
