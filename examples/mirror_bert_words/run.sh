#!/usr/bin/env bash
# Mirror-BERT for words: an encoder of our own before and after, ablations; a real one. See README.md.
#
#   bash run.sh              everything; go on after an interruption with the same command
#   bash run.sh minilm       the real model alone, before and after (the words are of the text, which is prepared)
#   bash run.sh result       result.json from the runs that have ended
#   DATA=folder bash run.sh  text and sets that are here already, wherever in the folder
#   WORK=../mirror_bert_sts/work bash run.sh  takes the masked language model that is there
source "$(dirname "$0")/../common.sh"
RECIPE=words
source "$EXAMPLE/../mirror_bert.sh"
source "$CONFIG"

words_of() {
    tool words "$OUT" "$1/train.txt" --number "$NUMBER"
}

# system NAME SEED: from the masked language model by Mirror-BERT
system() {
    local name=$1 seed=$2 run=$RECIPE.$1.$2
    share "${MIRROR[@]}"
    # shellcheck disable=SC2086
    stage "$run" mirror "$MLM" "$MLM/checkpoint_last.pt" --strings "$STRINGS" "${ENCODER[@]}" "${WORDS_SHARED[@]}" \
        --lr "$RATE" --seed "$seed" ${SYSTEMS[$name]}
    score "$run" "$FOLDER/checkpoint_last.pt" "$name" "$seed" "$FOLDER/seconds" --sets words
}

main() {
    local name seed runs=("$RECIPE.mlm" "$RECIPE.mlm-cls")
    begin minilm result -- "$@"
    for name in "${ORDER[@]}"; do
        for seed in "${SEEDS[@]}"; do runs+=("$RECIPE.$name.$seed"); done
    done
    # shellcheck disable=SC2207
    runs+=($(minilm_runs))
    if [ "${1:-}" != result ]; then
        prepare_text
        stage words words_of "$SENTENCES"
        STRINGS=$FOLDER/strings.txt
        if [ "${#MINILM_SEEDS[@]}" -gt 0 ]; then minilm --sets words; fi
        if [ -z "${1:-}" ]; then
            pretrain
            score "$RECIPE.mlm" "$MLM/checkpoint_last.pt" mlm 1 /dev/null --pooling mean --sets words
            score "$RECIPE.mlm-cls" "$MLM/checkpoint_last.pt" mlm-cls 1 /dev/null --pooling cls --sets words
            for seed in "${SEEDS[@]}"; do
                for name in "${ORDER[@]}"; do system "$name" "$seed"; done
            done
        fi
    fi
    write_scores "${runs[@]}"
}

main "$@"
exit
