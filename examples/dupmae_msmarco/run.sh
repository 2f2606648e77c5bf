#!/usr/bin/env bash
# DupMAE on MS MARCO's passages: pre-training, three stages of fine-tuning, MRR@10; BEIR's collections. See README.md.
#
#   BERT=folder bash run.sh            everything; go on after an interruption with the same command
#   BERT=folder bash run.sh result     result.json from the runs that have ended
#   DATA=folder ... bash run.sh        MS MARCO's files that are here already, unpacked
#   BEIR="scifact nfcorpus" ...        folders of BEIR (corpus.jsonl, queries.jsonl, qrels/test.tsv) to evaluate on, too
INVOKED=$PWD
DATA=${DATA:+$(realpath "$DATA")}
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../retrieval.sh"
source "$CONFIG"
BERT=$(cd "$INVOKED" && realpath "$BERT")
PROCESSES=${PROCESSES:-$(python -c 'import torch; print(max(1, torch.cuda.device_count()))')}
BATCH=(--update-freq "$((GPUS_OF_A_BATCH > PROCESSES ? GPUS_OF_A_BATCH / PROCESSES : 1))")

FILES=(collection.tsv queries.train.tsv qrels.train.tsv queries.dev.small.tsv qrels.dev.small.tsv)

get_text() {
    local file
    if [ -n "${DATA:-}" ]; then
        for file in "${FILES[@]}"; do
            [ -e "$DATA/$file" ] || { echo "error: DATA=$DATA has no $file" >&2; return 1; }
            ln -sf "$(realpath "$DATA/$file")" "$OUT/$file"
        done
    else
        curl --fail --location --silent --show-error --retry 3 --continue-at - --output "$OUT/marco.tar.gz" "$ADDRESS"
        echo "$CHECKSUM  $OUT/marco.tar.gz" | md5sum --check --quiet - ||
            { echo "error: $ADDRESS has another checksum than the text of the card; remove it to fetch it again" >&2; return 1; }
        tar -xzf "$OUT/marco.tar.gz" -C "$OUT" "${FILES[@]/#/./}" || tar -xzf "$OUT/marco.tar.gz" -C "$OUT" "${FILES[@]}"
        rm "$OUT/marco.tar.gz"
    fi
    cut -f 2 "$OUT/collection.tsv" >"$OUT/passages.txt"
}

# import_bert FOLDER: $OUT/bert
import_bert() { plugin import huggingface-encoder "$1" --destdir "$OUT/bert"; }

# binarize BERT FILE...: a data-bin with BERT's own tokenizer; long lines stay, training cuts them at the model's positions.
binarize() { prepare_encoder --like "$1" --max-pieces 0 --mono en="$2" "${@:3}"; }

# mine_groups CHECKPOINT INDEX cls|ot REPRESENT FLAG...: negatives of the retriever itself.
mine_groups() {
    plugin represent "$1" --queries "$TEXT/queries.train.tsv" --judged "$TEXT/qrels.train.tsv" --destdir "$OUT/queries" \
        --parts "$3" $4
    plugin mine --queries "$TEXT/queries.train.tsv" --qrels "$TEXT/qrels.train.tsv" --corpus "$TEXT/collection.tsv" \
        --index "$2" --query-vectors "$OUT/queries" --score "$3" "${@:5}" --output "$OUT/groups.jsonl"
    rm -r "$OUT/queries"
}

first_groups() {
    plugin mine --queries "$TEXT/queries.train.tsv" --qrels "$TEXT/qrels.train.tsv" --corpus "$TEXT/collection.tsv" \
        --output "$OUT/groups.jsonl"
}

# teach_groups CHECKPOINT GROUPS FLAG...
teach_groups() { plugin teach "$1" --groups "$2" --output "$OUT/groups.jsonl" "${@:3}"; }

# fine_tune NAME SEED START GROUPS WORDS...: CHECKPOINT and INDEX_FOLDER afterwards, and the dev set recorded.
fine_tune() {
    local name=$1 seed=$2 start=$3 groups=$4
    shift 4
    stage "$name.$seed" train "$BERT_FOLDER" --arch "retriever_$ARCH" "${SHAPE[@]}" "${FINE_TUNING[@]}" "${UPDATES[@]}" \
        "${OPTIMIZER[@]}" "${BATCH[@]}" "$@" --seed "$seed" --train-groups "$groups" --pretrained-checkpoint "$start"
    CHECKPOINT=$FOLDER/checkpoint_last.pt
    evaluate "$name.$seed" "$name" "MS MARCO dev" "$seed" "$CHECKPOINT" "$TEXT/collection.tsv" \
        "$TEXT/queries.dev.small.tsv" "$TEXT/qrels.dev.small.tsv" both "${PAPER[$name]:-}"
}

declare -A PAPER=([hard-negatives]=41.02 [distilled]=42.6)

pretrain() {
    local start=$START
    if [ -n "$GENERAL_TEXT" ]; then
        stage data-general binarize "$BERT_FOLDER" $GENERAL_TEXT
        stage pretraining.general train "$FOLDER/data-bin" --arch "dupmae_$ARCH" "${SHAPE[@]}" "${PRETRAINING[@]}" \
            "${OPTIMIZER[@]}" "${BATCH[@]}" "${GENERAL[@]}" --pretrained-checkpoint "$start"
        start=$FOLDER/checkpoint_last.pt
    fi
    stage data-marco binarize "$BERT_FOLDER" "$TEXT/passages.txt"
    stage pretraining.marco train "$FOLDER/data-bin" --arch "dupmae_$ARCH" "${SHAPE[@]}" "${PRETRAINING[@]}" \
        "${OPTIMIZER[@]}" "${BATCH[@]}" "${MARCO[@]}" --pretrained-checkpoint "$start"
    PRETRAINED=$FOLDER/checkpoint_last.pt
}

three_stages() {
    local seed=$1 groups teacher folder name
    stage groups.first first_groups
    fine_tune in-batch "$seed" "$PRETRAINED" "$FOLDER/groups.jsonl" "${FIRST[@]}"
    stage "groups.hard.$seed" mine_groups "$CHECKPOINT" "$INDEX_FOLDER" cls "${REPRESENT[*]}" "${MINING[@]}"
    groups=$FOLDER/groups.jsonl
    fine_tune hard-negatives "$seed" "$PRETRAINED" "$groups" "${SECOND[@]}"
    name=$CHECKPOINT
    stage "teacher.$seed" train "$BERT_FOLDER" --arch "cross_encoder_$ARCH" "${SHAPE[@]}" "${TEACHER[@]}" "${UPDATES[@]}" \
        "${OPTIMIZER[@]}" "${BATCH[@]}" --seed "$seed" --train-groups "$groups" --pretrained-checkpoint "$PRETRAINED"
    stage "groups.taught.$seed" teach_groups "$FOLDER/checkpoint_last.pt" "$groups" "${TEACH[@]}"
    fine_tune distilled "$seed" "$name" "$FOLDER/groups.jsonl" "${THIRD[@]}"
    for folder in ${BEIR:-}; do
        folder=$(cd "$INVOKED" && realpath "$folder")
        evaluate "beir.$(basename "$folder").$seed" distilled "BEIR $(basename "$folder")" "$seed" "$CHECKPOINT" \
            "$folder/corpus.jsonl" "$folder/queries.jsonl" "$folder/qrels/test.tsv" both
    done
}

main() {
    local seed names=()
    stage text get_text
    TEXT=$FOLDER
    stage bert import_bert "$BERT"
    BERT_FOLDER=$FOLDER/bert START=$FOLDER/bert/checkpoint.pt
    for seed in "${SEEDS[@]}"; do
        names+=("in-batch.$seed" "hard-negatives.$seed" "distilled.$seed")
        for folder in ${BEIR:-}; do names+=("beir.$(basename "$folder").$seed"); done
    done
    if [ "${1:-}" != result ]; then
        pretrain
        for seed in "${SEEDS[@]}"; do three_stages "$seed"; done
    fi
    write_result "${names[@]}"
}

main "$@"
exit
