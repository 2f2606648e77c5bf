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

main() {
    local name seed runs=("$RECIPE.mlm" "$RECIPE.mlm-cls")
    begin minilm result -- "$@"
    for name in "${ORDER[@]}"; do
        for seed in "${SEEDS[@]}"; do runs+=("$RECIPE.${name// /-}.$seed"); done
    done
    # shellcheck disable=SC2207
    runs+=($(minilm_runs))
    if [ "${1:-}" != result ]; then
        get_sets
        prepare_text
        stage words words_of "$SENTENCES"
        STRINGS=$FOLDER/strings.txt
        minilm --sets words
        if [ -z "${1:-}" ]; then
            job pretrain # beside the real model
            finish_jobs
            pretrain
            job score "$RECIPE.mlm" "$MLM/checkpoint_last.pt" mlm 1 /dev/null --pooling mean --sets words
            job score "$RECIPE.mlm-cls" "$MLM/checkpoint_last.pt" mlm-cls 1 /dev/null --pooling cls --sets words
            for seed in "${SEEDS[@]}"; do
                for name in "${ORDER[@]}"; do job system "$name" "$seed" --sets words; done
            done
        fi
        finish_jobs
    fi
    write_scores "${runs[@]}"
}

main "$@"
exit
