# shellcheck shell=bash disable=SC2034 # what common.sh reads
# Sourced by the recipes of response generation, after common.sh: perplexity and responses of a model.
DIALOGUE_TEXT=$(dirname "${BASH_SOURCE[0]}")/dialogue_text.py
SHARED+=("${BASH_SOURCE[0]}" "$DIALOGUE_TEXT") # the result depends on them
SCORER=response_runs

dialogues() { python "$DIALOGUE_TEXT" "$@"; }

# few_pairs COUNT TEXT LIKE WORDS...: a data-bin of the first so many pairs (or all), with the vocabulary of pre-training.
few_pairs() {
    local count=$1 folder=$2 like=$3 side
    shift 3
    for side in source target; do
        if [ "$count" = all ]; then cp "$folder/train.$side" "$OUT/"; else head -n "$count" "$folder/train.$side" >"$OUT/train.$side"; fi
    done
    prepare --like "$like" "$@" --keep-duplicates --dialogue "$folder/dialogue.json" \
        --parallel en-en="$OUT/train" --valid-parallel en-en="$folder/valid"
}

# perplexity CHECKPOINT TEXT: of the test answers, into $OUT/perplexity.json.
perplexity() {
    python -m mass_plugins evaluate perplexity "$1" --source en --target en "$2/test.source" "$2/test.target" \
        --json "$OUT/perplexity.json"
}

# responses RUN SYSTEM SETTING SEED CHECKPOINT TEXT [PAPER]: perplexity and responses on the test contexts; record them.
responses() {
    local run=$1 system=$2 setting=$3 seed=$4 checkpoint=$5 folder=$6 published=${7:-} measured
    stage "$run.perplexity" perplexity "$checkpoint" "$folder"
    measured=$FOLDER/perplexity.json
    stage "$run.test" translate "$checkpoint" en en "$folder/test.source" --beam "$BEAM"
    record "$run" "$system" "$setting" "$seed" "$FOLDER/translation.txt" "$folder/test.target" "$measured" "$published"
}
