#!/usr/bin/env bash
# MLM, CMLM and MSM from the same start, text and updates; cross-lingual retrieval before and after fine-tuning on
# English alone. See README.md.
#
#   bash run.sh              everything; go on after an interruption with the same command
#   bash run.sh start        text and the pre-training that all start from
#   bash run.sh result       result.json from the runs that have ended
#   PROCESSES=4 bash run.sh  so many share the start
#   DATA=folder bash run.sh  files that are here already, plain, .xz or .gz, in the folder or below it
DATA=${DATA:+$(realpath "$DATA")}
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../large.sh"
source "$EXAMPLE/../shared_training.sh"
source "$CONFIG"
SHARED+=("$EXAMPLE/../msm_text.py" "$EXAMPLE/../retrieval_text.py")
[ -z "$DATA" ] || CALLED="DATA=folder" # its text is not the downloads' to the letter

joined() { local IFS=,; echo "$*"; }

# get_files: links to all downloads in $WORK/source; DATA is that folder afterwards.
get_files() {
    local language code name
    mkdir -p source
    DATA=$PWD/source
    for name in "${BIBLES[@]}"; do link "$BIBLE/$name.csv"; done
    for language in "${!DOCS[@]}"; do link "${DOCS[$language]}" "python-docs-$language.zip"; done
    for code in "${TATOEBA_CODES[@]}"; do
        for name in "$code" eng; do link "$TATOEBA/tatoeba.$code-eng.$name"; done
    done
    mkdir -p source/xquad-r
    for language in "${XQUAD_LANGUAGES[@]}"; do link "$XQUAD/$language.json" "xquad-r/$language.json"; done
    link "$MEDQUAD" medquad.zip
    link "$SCIFACT"
    for name in "${!SCIFACT_SUMS[@]}"; do
        stage "unpacked.$name" unpack source/scifact.zip "$name" "${SCIFACT_SUMS[$name]}"
        ln -sf "$PWD/$FOLDER/$name" "source/$name"
    done
}

# link ADDRESS [NAME]: source/NAME
link() {
    get "$1"
    ln -sf "$PWD/$FILE" "source/${2:-${1##*/}}"
}

# unpack ARCHIVE NAME SHA256: $OUT/NAME
unpack() {
    python - "$1" "$2" "$OUT/$2.tmp" <<'PY'
import sys, zipfile

with zipfile.ZipFile(sys.argv[1]) as archive, open(sys.argv[3], "wb") as out:
    out.write(archive.read(next(name for name in archive.namelist() if name.endswith(sys.argv[2]))))
PY
    echo "$3  $OUT/$2.tmp" | sha256sum --check --quiet - ||
        { echo "error: $2 of $1 has another checksum than the file that this recipe is for" >&2; return 1; }
    mv "$OUT/$2.tmp" "$OUT/$2"
}

# align DATA WORDS...: vectors of its tokens
align() { plugin align "$@" --output "$OUT/vectors.txt"; }

# get_text DATA LANGUAGES PICTURE XQUAD
get_text() { python "$EXAMPLE/../msm_text.py" "$1" "$OUT" "$2" "$3" "$4"; }

# prepare_text TEXT SUB-WORDS LANGUAGE...: $OUT/data-bin
prepare_text() {
    local text=$1 size=$2 language files=()
    shift 2
    for language; do files+=("$language=$text/text.$language.txt"); done
    python "$ROOT/preprocess/prepare_encoder.py" --mono "${files[@]}" --subwords unigram --vocab-size "$size" \
        --keep-duplicates --valid-lines 1 --destdir "$OUT/data-bin" --overwrite # nothing is validated
}

# prepare_documents TEXT DATA-BIN FLAG...: $OUT/documents
prepare_documents() {
    local text=$1 data=$2 language files=()
    shift 2
    for language in "${LANGUAGES[@]}"; do files+=("$language=$text/documents.$language.jsonl"); done
    python "$ROOT/preprocess/prepare_documents.py" --documents "${files[@]}" --like "$data" "$@" \
        --destdir "$OUT/documents" --overwrite
}

# schedule UPDATES RATE: the flags of a training's length
schedule() { echo --max-update "$1" --total-num-update "$1" --warmup-updates $(($1 / 10)) --lr "$2"; }

# pretrain SYSTEM SEED: FOLDER is that of the system's encoder
pretrain() {
    local system=$1 seed=$2
    shared_training start "$ALL" "${MLM[@]}" "${SHAPE[@]}" "${OPTIMIZER[@]}" "${START[@]}" \
        $(schedule "$START_UPDATES" "$START_RATE") --seed "${SEEDS[0]}" "${VECTORS[@]}"
    [ "$system" != start ] || return 0
    local flags=("${SHAPE[@]}" "${OPTIMIZER[@]}" --max-tokens 4096 $(schedule "$UPDATES" "$RATE") --seed "$seed"
        --pretrained-checkpoint "$FOLDER/checkpoint_last.pt")
    case $system in
        mlm) stage "$system.$seed" train "$ALL" "${MLM[@]}" "${flags[@]}" ;;
        cmlm) stage "$system.$seed" train "$UNITS" "${CMLM[@]}" "${flags[@]}" ;;
        *) stage "$system.$seed" train "$ALL" --documents "$UNITS" "${MSM[@]}" ${ABLATION[$system]} "${flags[@]}" ;;
    esac
}

# measure CHECKPOINT POOLING SIMILARITY TEXT: $OUT/tatoeba.json, verses.json and lareqa.json
measure() {
    local checkpoint=$1 pooling=$2 similarity=$3 text=$4 language pairs=() verses=() files=()
    for language in "${LANGUAGES[@]}"; do
        [ "$language" = en ] || verses+=("$language=$text/verses/$language.txt,$text/verses/en.txt")
        [ ! -e "$text/tatoeba/$language.source" ] ||
            pairs+=("$language=$text/tatoeba/$language.source,$text/tatoeba/$language.english")
    done
    for language in "${XQUAD_LANGUAGES[@]}"; do files+=("$language=$text/xquad/$language.json"); done
    plugin evaluate tatoeba "$checkpoint" --pooling "$pooling" --pairs "${pairs[@]}" --json "$OUT/tatoeba.json"
    plugin evaluate tatoeba "$checkpoint" --pooling "$pooling" --pairs "${verses[@]}" --json "$OUT/verses.json"
    plugin evaluate lareqa "$checkpoint" --pooling "$pooling" --similarity "$similarity" --xquad "${files[@]}" \
        --json "$OUT/lareqa.json"
}

# note SYSTEM SETTING SEED: the numbers of FOLDER, a line each
note() {
    local set metric run="$1.$3.${2// /-}"
    {
        for set in tatoeba verses; do
            for metric in accuracy "accuracy, forward" "accuracy, backward"; do
                printf '%s\t%s\t%s, %s\t%s\t%s\n' "$1" "$3" "$set" "$2" "$metric" "$PWD/$FOLDER/$set.json"
            done
        done
        printf '%s\t%s\tlareqa, %s\tmAP@20\t%s\n' "$1" "$3" "$2" "$PWD/$FOLDER/lareqa.json"
    } >"$RECORDS/$run.tsv.tmp"
    mv "$RECORDS/$run.tsv.tmp" "$RECORDS/$run.tsv"
}

# system SYSTEM SEED: pre-training, fine-tuning, and the numbers of both
system() {
    local system=$1 seed=$2 pooling=${POOLING[$1]:-mean} checkpoint
    pretrain "${TRAINED_AS[$system]:-$system}" "$seed"
    checkpoint=$FOLDER/checkpoint_last.pt
    stage "$system.$seed.zero-shot" measure "$checkpoint" "$pooling" cosine "$TEXT_FOLDER"
    note "$system" zero-shot "$seed"
    stage "$system.$seed.fine" train "$(dirname "$checkpoint")" "${FINE_TUNING[@]}" "${SHAPE[@]}" --seed "$seed" \
        --train-groups "$TEXT_FOLDER/groups.jsonl" --pretrained-checkpoint "$checkpoint" \
        --vector-pooling "$pooling"
    stage "$system.$seed.english" measure "$FOLDER/checkpoint_last.pt" "$pooling" dot "$TEXT_FOLDER"
    note "$system" "fine-tuned on English" "$seed"
}

# has_seed SYSTEM SEED: whether the system has a run with this seed
has_seed() {
    case $1 in
        start) [ "$2" = "${SEEDS[0]}" ] ;;
        no-* | msm-cls) [[ " ${ABLATION_SEEDS[*]} " == *" $2 "* ]] ;;
    esac
}

# draw BEFORE AFTER LANGUAGE...: sentence vectors of one document in these languages, before and after.
draw() {
    local before=$1 after=$2 language files=()
    shift 2
    for language; do files+=("$language=$TEXT_FOLDER/parallel.$language.txt"); done
    plugin plot-vectors "before=$before" "after=$after" --pooling mean --pooling mean --text "${files[@]}" \
        --output "$OUT/vectors.png"
}

main() {
    local seed name system names=()
    [ -n "$DATA" ] || get_files
    stage text get_text "$DATA" "$(joined "${LANGUAGES[@]}")" "$(joined "${PICTURE[@]}")" \
        "$(joined "${XQUAD_LANGUAGES[@]}")"
    TEXT_FOLDER=$FOLDER
    stage data-bin prepare_text "$TEXT_FOLDER" "$VOCABULARY" "${LANGUAGES[@]}"
    ALL=$FOLDER/data-bin
    VECTORS=()
    if [ "${#ALIGNMENT[@]}" -gt 0 ]; then
        stage vectors align "$ALL" "${ALIGNMENT[@]}"
        VECTORS=(--pretrained-embeddings "$FOLDER/vectors.txt")
    fi
    stage documents prepare_documents "$TEXT_FOLDER" "$ALL" "${DOCUMENTS[@]}"
    UNITS=$FOLDER/documents
    if [ "${1:-}" != result ]; then
        job pretrain start "${SEEDS[0]}"
        finish_jobs
        [ "${1:-}" != start ] || exit 0
        for name in "${SYSTEMS[@]}"; do # those that share a checkpoint come last: they would wait for it
            for seed in "${SEEDS[@]}"; do ! has_seed "$name" "$seed" || job system "$name" "$seed"; done
        done
        finish_jobs
    fi
    for name in zero-shot fine-tuned-on-English; do
        for system in "${SYSTEMS[@]}"; do
            for seed in "${SEEDS[@]}"; do ! has_seed "$system" "$seed" || names+=("$system.$seed.$name"); done
        done
    done
    SCORER=encoder_runs SCORING=(--compare "${COMPARISONS[@]}")
    write_result "${names[@]}"
    [ "${1:-}" = result ] || picture
}

# picture: before and after the first seed's MSM, drawn last so that the result doesn't wait for it
picture() {
    local before
    pretrain start "${SEEDS[0]}"
    before=$FOLDER/checkpoint_last.pt
    pretrain msm "${SEEDS[0]}"
    stage picture draw "$before" "$FOLDER/checkpoint_last.pt" "${PICTURE[@]}"
    [ "$CONFIG" != "$EXAMPLE/config.sh" ] || cp "$FOLDER/vectors.png" "$EXAMPLE/vectors.png"
}

main "$@"
exit
