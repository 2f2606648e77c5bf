#!/usr/bin/env bash
# Cornell's movie dialogues at the paper's size: from scratch and from MASS on English news. See README.md and ../wmt.sh.
#
#   bash run.sh                everything; go on after an interruption with the same command
#   bash run.sh text           downloads and prepares the text alone
#   bash run.sh pretrain       the pre-training alone
#   bash run.sh result         result.json from the runs that have ended
#   DATA=folder bash run.sh    movie_lines.txt and movie_conversations.txt are here already
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../wmt.sh" # downloads, news, vocabulary, model and pre-training of the paper
source "$EXAMPLE/../responses.sh"
SCORING=()
source "$CONFIG"

pairs_of_movies() {
    dialogues cornell "$1" "$OUT" --split "$SPLIT" --valid "$VALID" --test "$TEST" --total "$TOTAL" --turns "$TURNS"
}

# get_everything: TEXT (pairs), VOCABULARY_BIN and TEXT_BIN (shards of news) afterwards.
get_everything() {
    local shard
    if [ -n "${DATA:-}" ]; then
        stage movies pairs_of_movies "$DATA"
    else
        get "$CORNELL"
        stage movies pairs_of_movies "$FILE"
    fi
    TEXT=$FOLDER
    get_news en
    stage vocabulary vocabulary "$VOCABULARY" "$VOCABULARY_LINES" "$NEWS_TEXT"
    VOCABULARY_BIN=$FOLDER/data-bin
    stage text prepare --like "$VOCABULARY_BIN" "${LIMITS[@]}" --shards "$SHARDS" --mono en="$NEWS_TEXT"
    TEXT_BIN=$FOLDER/data-bin
    if [ "$SHARDS" -gt 1 ]; then
        TEXT_BIN+=/0
        for ((shard = 1; shard < SHARDS; shard++)); do TEXT_BIN+=:$FOLDER/data-bin/$shard; done
    fi
}

# system NAME PAIRS SEED
system() {
    local name=$1 number=$2 seed=$3 run=$1.$2.$3 start=() data
    if [ "$name" = mass ]; then
        pretrain
        start=(--pretrained-checkpoint "$PRETRAINED")
    fi
    stage "pairs-$number" few_pairs "$number" "$TEXT" "$VOCABULARY_BIN"
    data=$FOLDER/data-bin
    stage "$run" train_batches "$GPUS_OF_A_BATCH" "$data" "${MODEL[@]}" "${FINE_TUNING[@]}" --seed "$seed" \
        ${start[@]+"${start[@]}"}
    responses "$run" "$name" "$number pairs" "$seed" "$FOLDER/checkpoint_best.pt" "$TEXT" "${PAPER[$name.$number]:-}"
}

main() {
    local goal=${1:-all} number seed name names=()
    case $goal in
        all | text | pretrain | result) ;;
        *) die "there is no $goal; say text, pretrain, result, or nothing for everything" ;;
    esac
    count_processes "$GPUS_OF_A_BATCH"
    for number in "${PAIRS[@]}"; do
        for name in scratch mass; do
            for seed in "${SEEDS[@]}"; do names+=("$name $number $seed"); done
        done
    done
    if [ "$goal" != result ]; then
        get_everything
        [ "$goal" != text ] || return 0
        if [ "$goal" = pretrain ]; then pretrain; return 0; fi
        for name in "${names[@]}"; do job system $name; done
        finish_jobs
    fi
    write_result "${names[@]// /.}"
}

main "$@"
exit
