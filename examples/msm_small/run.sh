#!/usr/bin/env bash
# MLM, CMLM and MSM from the same start, text and updates; cross-lingual retrieval before and after fine-tuning on
# English alone. See README.md.
#
#   DATA=folder bash run.sh          everything; go on after an interruption with the same command
#   DATA=folder bash run.sh start    text and the pre-training that all start from
#   DATA=folder bash run.sh result   result.json from the runs that have ended
source "$(dirname "$0")/../common.sh"
source "$CONFIG"
SHARED=("$EXAMPLE/../msm_text.py" "$EXAMPLE/../retrieval_text.py")

plugin() { python -m mass_plugins "$@"; }

joined() { local IFS=,; echo "$*"; }

get_text() { python "$EXAMPLE/../msm_text.py" "$DATA" "$OUT" "$(joined "${LANGUAGES[@]}")"; }

# get_questions: English questions with answers, of two collections: $OUT/groups.jsonl
get_questions() {
    python "$EXAMPLE/../retrieval_text.py" "$DATA" "$OUT"
    grep -E '"query_id": *"(scifact|medquad)-' "$OUT/train.jsonl" >"$OUT/groups.jsonl"
}

prepare_text() {
    local language files=()
    for language in "${LANGUAGES[@]}"; do files+=("$language=$1/text.$language.txt"); done
    python "$ROOT/preprocess/prepare_encoder.py" --mono "${files[@]}" --subwords unigram --vocab-size "$VOCABULARY" \
        --keep-duplicates --destdir "$OUT/data-bin" --overwrite
}

prepare_documents() {
    local text=$1 data=$2 language files=()
    for language in "${LANGUAGES[@]}"; do files+=("$language=$text/documents.$language.jsonl"); done
    python "$ROOT/preprocess/prepare_documents.py" --documents "${files[@]}" --like "$data" "${DOCUMENTS[@]}" \
        --destdir "$OUT/documents" --overwrite
}

# schedule UPDATES RATE: the flags of a training's length
schedule() { echo --max-update "$1" --total-num-update "$1" --warmup-updates $(($1 / 10)) --lr "$2"; }

# pretrain SYSTEM SEED: FOLDER is that of the system's encoder
pretrain() {
    local system=$1 seed=$2
    stage start train "$ALL" "${MLM[@]}" "${SHAPE[@]}" "${OPTIMIZER[@]}" $(schedule "$START_UPDATES" 5e-4) --seed 1
    [ "$system" != start ] || return 0
    local flags=("${SHAPE[@]}" "${OPTIMIZER[@]}" $(schedule "$UPDATES" 2e-4) --seed "$seed"
        --pretrained-checkpoint "$FOLDER/checkpoint_last.pt")
    case $system in
        mlm) stage "$system.$seed" train "$ALL" "${MLM[@]}" "${flags[@]}" ;;
        cmlm) stage "$system.$seed" train "$UNITS" "${CMLM[@]}" "${flags[@]}" ;;
        *) stage "$system.$seed" train "$ALL" --documents "$UNITS" "${MSM[@]}" ${ABLATION[$system]} "${flags[@]}" ;;
    esac
}

# fine_tune CHECKPOINT SEED GROUPS
fine_tune() {
    train "$(dirname "$1")" "${FINE_TUNING[@]}" "${SHAPE[@]}" --seed "$2" --train-groups "$3" --pretrained-checkpoint "$1"
}

# measure CHECKPOINT POOLING SIMILARITY: $OUT/tatoeba.json and lareqa.json
measure() {
    local checkpoint=$1 pooling=$2 similarity=$3 language pairs=() files=()
    for language in "${LANGUAGES[@]}"; do
        [ ! -e "$TEXT_FOLDER/tatoeba/$language.source" ] ||
            pairs+=("$language=$TEXT_FOLDER/tatoeba/$language.source,$TEXT_FOLDER/tatoeba/$language.english")
        [ ! -e "$TEXT_FOLDER/xquad/$language.json" ] || files+=("$language=$TEXT_FOLDER/xquad/$language.json")
    done
    plugin evaluate tatoeba "$checkpoint" --pooling "$pooling" --pairs "${pairs[@]}" --json "$OUT/tatoeba.json"
    plugin evaluate lareqa "$checkpoint" --pooling "$pooling" --similarity "$similarity" --xquad "${files[@]}" \
        --json "$OUT/lareqa.json"
}

# note SYSTEM SETTING SEED: the numbers of FOLDER, a line each
note() {
    local run="$1.$3.${2// /-}"
    printf '%s\n' "tatoeba, $2	accuracy	$PWD/$FOLDER/tatoeba.json" "lareqa, $2	mAP@20	$PWD/$FOLDER/lareqa.json" |
        while IFS= read -r line; do printf '%s\t%s\t%s\n' "$1" "$3" "$line"; done >"runs/$run.tsv.tmp"
    mv "runs/$run.tsv.tmp" "runs/$run.tsv"
}

system() {
    local system=$1 seed=$2 checkpoint
    pretrain "$system" "$seed"
    checkpoint=$FOLDER/checkpoint_last.pt
    stage "$system.$seed.zero-shot" measure "$checkpoint" "${POOLING[$system]:-cls}" cosine
    note "$system" zero-shot "$seed"
    stage "$system.$seed.fine" fine_tune "$checkpoint" "$seed" "$QUESTIONS/groups.jsonl"
    stage "$system.$seed.english" measure "$FOLDER/checkpoint_last.pt" cls dot
    note "$system" "fine-tuned on English" "$seed"
}

# draw BEFORE AFTER: sentence vectors of one document in all languages, before and after.
draw() {
    local language files=()
    for language in "${PICTURE[@]}"; do files+=("$language=$TEXT_FOLDER/parallel.$language.txt"); done
    plugin plot-vectors "before=$1" "after=$2" --pooling mean --pooling cls --text "${files[@]}" --output "$OUT/vectors.png"
}

write_msm_result() {
    local files=(runs/*.tsv)
    [ -e "${files[0]}" ] || die "no run has ended yet"
    say "result from ${#files[@]} runs"
    python -m mass_plugins.scoring.encoder_runs "${files[@]}" --claim "$CLAIM" --status "$STATUS" \
        --example "$EXAMPLE" --config "$CONFIG" "$EXAMPLE/run.sh" "${SHARED[@]}" --output result.json \
        --seconds "$(awk '{ sum += $1 } END { print sum }' ./*/.seconds)"
    [ "$CONFIG" != "$EXAMPLE/config.sh" ] || cp result.json "$EXAMPLE/result.json"
}

main() {
    local seed name before
    [ -n "${DATA:-}" ] || die "set DATA to the folder of the files that README.md lists"
    stage text get_text
    TEXT_FOLDER=$PWD/$FOLDER
    stage questions get_questions
    QUESTIONS=$FOLDER
    stage data-bin prepare_text "$TEXT_FOLDER"
    ALL=$FOLDER/data-bin
    stage documents prepare_documents "$TEXT_FOLDER" "$ALL"
    UNITS=$FOLDER/documents
    if [ "${1:-}" != result ]; then
        rm -f runs/*.tsv
        pretrain start 1
        [ "${1:-}" != start ] || exit 0
        for seed in "${SEEDS[@]}"; do
            for name in "${SYSTEMS[@]}"; do job system "$name" "$seed"; done
        done
        finish_jobs
        pretrain start 1
        before=$FOLDER/checkpoint_last.pt
        pretrain msm "${SEEDS[0]}"
        stage picture draw "$before" "$FOLDER/checkpoint_last.pt"
        [ "$CONFIG" != "$EXAMPLE/config.sh" ] || cp "$FOLDER/vectors.png" "$EXAMPLE/vectors.png"
    fi
    write_msm_result
}

main "$@"
exit
