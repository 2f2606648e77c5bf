#!/usr/bin/env bash
# Mirror-BERT for words: an encoder of our own before and after, ablations; a real one. See README.md.
#
#   bash run.sh              everything; go on after an interruption with the same command
#   bash run.sh result       result.json from the runs that have ended
#   DATA=folder bash run.sh  text and sets that are here already, wherever in the folder
#   WORK=../mirror_bert_sts/work bash run.sh  takes the masked language model that is there
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../mirror_bert.sh"
source "$CONFIG"

words_of() {
    tool words "$OUT" "$1/train.txt" --number "$NUMBER"
}

# system NAME SEED: from the masked language model by Mirror-BERT
system() {
    local name=$1 seed=$2 run=words.$1.$2
    # shellcheck disable=SC2086
    stage "$run" mirror "$MLM" "$MLM/checkpoint_last.pt" --strings "$STRINGS" "${ENCODER[@]}" "${MIRROR[@]}" --lr "$RATE" \
        --seed "$seed" ${SYSTEMS[$name]}
    score "$run" "$FOLDER/checkpoint_last.pt" "$name" "$seed" "$FOLDER/seconds" --sets words
}

main() {
    local name seed runs=(words.mlm words.mlm-cls)
    for name in "${ORDER[@]}"; do
        for seed in "${SEEDS[@]}"; do runs+=("words.$name.$seed"); done
    done
    if [ "${1:-}" != result ]; then
        rm -f runs/words.*.json # of an earlier configuration, maybe; runs that are done are recorded again
        prepare_text
        pretrain
        stage words words_of "$SENTENCES"
        STRINGS=$FOLDER/strings.txt
        score words.mlm "$MLM/checkpoint_last.pt" mlm 1 /dev/null --pooling mean --sets words
        score words.mlm-cls "$MLM/checkpoint_last.pt" mlm-cls 1 /dev/null --pooling cls --sets words
        for seed in "${SEEDS[@]}"; do
            for name in "${ORDER[@]}"; do system "$name" "$seed"; done
        done
    fi
    write_scores "${runs[@]}"
}

main "$@"
exit
