"""The flags that each recipe gives to fairseq-train: none is refused, neither by itself nor beside the others."""

import shlex
import subprocess
from pathlib import Path

import pytest
from fairseq import tasks

from tests.unit.test_flags import parsed

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
RECIPES = sorted(path.parent.name for path in EXAMPLES.glob("*/config.sh"))
# What a recipe's arrays of flags are combined with: names of arrays, or of associative ones for each of their values.
BESIDE = {
    "dupmae_msmarco": {"PRETRAINING": ["GENERAL", "MARCO"], "FINE_TUNING": ["FIRST", "SECOND", "THIRD"]},
    "dupmae_small": {"PRETRAINING": ["OBJECTIVE"], "FINE_TUNING": ["REPRESENTATION"]},
    "mass_ablation": {"PRETRAINING": ["VARIANTS"]},
    "mass_objectives_ablation": {"PRETRAINING": ["OBJECTIVE"]},
    "mirror_bert_sts": {"MIRROR_TRAINING": ["SYSTEMS"]},
    "mirror_bert_words": {"MIRROR_TRAINING": ["SYSTEMS"]},
    "msm_small": {"MSM": ["ABLATION"]},
    "multi30k_low_resource": {"PRETRAINING": ["OBJECTIVE"]},
    "semi_supervised_multi30k": {"PAIRS_ALONE": ["BOTH"], "PAIRS_AND_TEXT": ["BOTH"]},
    "summarization_gigaword": {"FINE_TUNING": ["RATE"]},
    "unsupervised_multi30k": {"BACK_TRANSLATION": ["SYSTEMS"]},
}
# Whose task is named where they are used; both recipes of Mirror-BERT have them.
TASKS = {"PRETRAINING": ["--task", "mlm_pretraining"], "MIRROR_TRAINING": ["--task", "mirror_bert", "--strings", "x"]}
POLYNOMIAL = ["--lr-scheduler", "polynomial_decay", "--total-num-update", "9"]
SEQ2SEQ = ["--arch", "mass_tiny", "--criterion", "label_smoothed_cross_entropy"]
DEFAULTS = {
    "mass_pretraining": SEQ2SEQ,
    "seq2seq_finetuning": [*SEQ2SEQ, "--directions", "en-en"],
    "unsupervised_translation": [*SEQ2SEQ, "--directions", "de-en,en-de"],
    "mlm_pretraining": ["--arch", "text_encoder_tiny", "--criterion", "masked_tokens"],
    "cmlm_pretraining": [],
    "msm_pretraining": ["--arch", "msm_tiny"],
    "mirror_bert": ["--arch", "text_encoder_tiny", "--criterion", "mirror_bert"],
    "dupmae_pretraining": ["--arch", "dupmae_tiny"],
    "retrieval_finetuning": ["--arch", "retriever_tiny"],
    "relevance_finetuning": ["--arch", "cross_encoder_tiny"],
}


def arrays_of(recipe):
    """A recipe's arrays: name -> what each of its values says, one for an array, several for an associative one."""
    script = f"""
        set -Eeu; ROOT={EXAMPLES.parent} EXAMPLE={EXAMPLES / recipe} CONFIG={EXAMPLES / recipe}/config.sh
        WORK=/tmp PROCESSES=1 GPU=0 DATA=/tmp BERT=x XLMR=x SHARED=() RECIPE=x
        die() {{ echo "error: $*" >&2; exit 1; }}; say() {{ :; }}
        eval "$(grep -E '^source ' "$EXAMPLE/run.sh" | grep -v common.sh | sed 's|$(dirname "$0")|$EXAMPLE|')"
        [ -n "${{CLAIM:-}}" ] || source "$CONFIG"
        for name in $(compgen -A arrayvar); do
            case $name in BASH* | DIRSTACK | FUNCNAME | GROUPS | PIPESTATUS) continue ;; esac
            declare -n array=$name
            if [[ $(declare -p "$name") = "declare -A"* ]]; then
                for key in "${{!array[@]}}"; do printf '%s\\t%s\\n' "$name" "${{array[$key]}}"; done
            else printf '%s\\t%s\\n' "$name" "${{array[*]@Q}}"; fi
        done
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {}
    for line in done.stdout.splitlines():
        name, _, words = line.partition("\t")
        found.setdefault(name, []).append(shlex.split(words))
    return found


def trainings(recipe):
    """The words of each kind of training."""
    arrays = arrays_of(recipe)
    inline = TASKS if recipe.startswith("mirror_bert") else {}
    for name, (words, *_) in arrays.items():
        if "--task" in words or name in inline:
            base = [*inline.get(name, []), *words]
            yield base
            for other in BESIDE.get(recipe, {}).get(name, []):
                yield from ([*base, *more] for more in arrays[other])


def test_all_that_is_named_is_there():
    assert set(BESIDE) <= set(RECIPES)
    for recipe, beside in BESIDE.items():
        arrays = arrays_of(recipe)
        assert {*beside, *(name for names in beside.values() for name in names)} <= set(arrays), recipe


@pytest.mark.parametrize("recipe", RECIPES)
def test_nothing_that_a_recipe_says_is_refused(recipe, tiny_data_bin):
    kinds = list(trainings(recipe))
    assert kinds
    for words in kinds:
        name = words[words.index("--task") + 1]
        documents = ["--documents", tiny_data_bin] if name == "msm_pretraining" else []
        schedule = [] if "--lr-scheduler" in words else POLYNOMIAL
        cfg = parsed(tiny_data_bin, "--optimizer", "adam", *schedule, *DEFAULTS[name], *documents, *words)
        task = tasks.setup_task(cfg.task)
        task.model_options = cfg.model
        task.check_flags(cfg.model)
        task.build_criterion(cfg.criterion)
