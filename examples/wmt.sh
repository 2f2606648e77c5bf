# shellcheck shell=bash disable=SC2034 # what common.sh reads
# Sourced by the recipes on WMT's news text, after common.sh and before CONFIG: text, pre-training,
# back-translation, few pairs, scores. A config.sh names a pair of languages and its files.
#
#   bash run.sh                everything; go on after an interruption with the same command
#   bash run.sh text           downloads and prepares the text alone
#   bash run.sh unsupervised   pre-training, back-translation and their scores
#   bash run.sh low-resource   pre-training, and 10 K, 100 K and 1 M pairs from MASS and from scratch
#   bash run.sh result         result.json from the runs that have ended
#
# Set from outside, besides what common.sh reads: MIRROR and PROCESSES, see large.sh.
source "$(dirname "${BASH_SOURCE[0]}")/large.sh"
WMT_TEXT=$(dirname "${BASH_SOURCE[0]}")/wmt_text.py
SHARED+=("${BASH_SOURCE[0]}" "$WMT_TEXT") # the result depends on them
SCORING=(--tokenized-bleu cased)

# --- settings, the same for all pairs of languages ----------------------------------------------

DEV=https://data.statmt.org/wmt19/translation-task/dev.tgz # validation and test sets of all years up to 2018
YEARS=({2007..2017})
SENTENCES=50000000       # of a language, where there are more
VOCABULARY=60000         # joint BPE, counted with letters and special symbols
VOCABULARY_LINES=1000000 # of each language, to learn it from
LIMITS=(--max-words 175 --max-pieces 100)
SHARDS=10 # parts of the text, one an epoch
PAIRS_AS_TEXT=() # languages whose side of the pairs is monolingual text, too

# --max-tokens is that of a GPU; an update has the tokens of so many.
GPUS_OF_A_BATCH=8

MODEL=(--arch mass_unmt --criterion label_smoothed_cross_entropy --label-smoothing 0
    --dropout 0.1 --attention-dropout 0.1 --optimizer adam --adam-betas "(0.9,0.98)" --clip-norm 5
    --lr 1e-4 --lr-scheduler inverse_sqrt --warmup-init-lr 1e-7 --warmup-updates 4000
    --autocast-bfloat16 --long-lines skip --log-interval 100 --validate-interval 100000 --save-interval 100000)
PRETRAINING=(--task mass_pretraining --masking span --span-ratio 0.5 --mask-keep-rand "0.8,0.1,0.1" --language-alpha 0
    --max-tokens 3000 --max-update 625000 --validate-interval-updates 6250 --save-interval-updates 6250 --seed 1)
# BLEU on the validation pairs chooses the checkpoint, as in the authors' code; round_trip_bleu needs no pair.
BACK_TRANSLATION=(--task unsupervised_translation --language-alpha 0
    --max-tokens 2000 --max-update 93750 --validate-interval-updates 3125 --save-interval-updates 3125
    --best-checkpoint-metric bleu --maximize-best-checkpoint-metric)
FINE_TUNING=(--task seq2seq_finetuning --max-tokens 2000 --max-update 20000
    --validate-interval-updates 1000 --save-interval-updates 1000
    --eval-bleu --best-checkpoint-metric bleu --maximize-best-checkpoint-metric)
LOW_RESOURCE=(10000 100000 1000000) # pairs
SEEDS=(1)
BEAM=1 # greedy, as in the authors' evaluation

# Sizes in bytes and SHA-256 sums, as far as they are published: TensorFlow Datasets' url_checksums.
declare -A KNOWN=(
    [https://data.statmt.org/wmt19/translation-task/dev.tgz]="38654961 7a7deccf82ebb05ba508dba5eb21356492224e8f630ec4f992132b029b4b25e7"
    [https://www.statmt.org/wmt13/training-parallel-europarl-v7.tgz]="657632379 0224c7c710c8a063dfd893b0cc0830202d61f4c75c17eb8e31836103d27d96e7"
    [https://www.statmt.org/wmt13/training-parallel-commoncrawl.tgz]="918311367 c7a74e2ea01ac6c920123108627e35278d4ccb5701e15428ffa34de86fa3a9e5"
    [https://www.statmt.org/wmt13/training-parallel-un.tgz]="2365634246 29141b5c1eba149a94f7a59d3b1a834b2e47fe0f8758d68dcd77a3d3f497ee47"
    [https://www.statmt.org/wmt10/training-giga-fren.tar]="2595102720 3ff8319f6919393520559bfbc7ad6a747ec81b3abc7be9993b338d4b017b4d9a"
    [https://www.statmt.org/wmt14/training-parallel-nc-v9.tgz]="80418416 cb8953f292298e6877ae433c98912b927cb0766b303f4540512ddd286c748485"
    [https://data.statmt.org/wmt16/translation-task/training-parallel-nc-v11.tgz]="75178032 cfe8ab047e05043476e498ee765c98e939c7b7d6d294e856344c84476b619d6a"
    [https://data.statmt.org/wmt16/translation-task/training-parallel-ep-v8.tgz]="225018324 8917bd3bef3bc894c8519ca1f8a4c7c330aad08a1263655a9d99ee13d532e3c7"
    [https://object.pouta.csc.fi/OPUS-SETIMES/v2/tmx/en-ro.tmx.gz]="23458958 56bfaa2a8c8bdfccb7b50cc926067e2291347d807004e81faab8762ddbf26302"
)

# --- stages: called by `stage`, write to $OUT ---------------------------------------------------

text() { python "$WMT_TEXT" "$@"; }

# clean LANGUAGE: Romanian loses its diacritics, everywhere; see its card.
clean() { if [ "$1" = ro ]; then text romanian; else cat; fi; }

# news LANGUAGE NUMBER FILE...: at most so many lines of all files.
news() {
    local language=$1 number=$2
    shift 2
    text sample "$number" "$@" | clean "$language" | gzip -1 >"$OUT/news.$language.gz.tmp"
    mv "$OUT/news.$language.gz.tmp" "$OUT/news.$language.gz"
}

# member ARCHIVE NAME: a file of it, to stdout, with a line end at its end.
member() {
    case $2 in
        *.gz) tar -xOf "$1" "$2" | gzip -dc ;;
        *) tar -xOf "$1" "$2" ;;
    esac | LC_ALL=C sed "\$a\\"
}

# test_sets ARCHIVE NAME FILE LANGUAGE...: files of the archive's folder dev/ as NAME.LANGUAGE.
test_sets() {
    local archive=$1 name file language
    shift
    while [ $# -gt 0 ]; do
        name=$1 file=$2 language=$3
        shift 3
        case $file in
            *.sgm) member "$archive" "dev/$file" | text sgm ;;
            *) member "$archive" "dev/$file" ;;
        esac | clean "$language" >"$OUT/$name.$language"
    done
    same_lines "$OUT/valid.$SOURCE" "$OUT/valid.$TARGET"
    same_lines "$OUT/$SOURCE-$TARGET.$SOURCE" "$OUT/$SOURCE-$TARGET.$TARGET"
    same_lines "$OUT/$TARGET-$SOURCE.$SOURCE" "$OUT/$TARGET-$SOURCE.$TARGET"
}

# same_lines FILE FILE: the sides of pairs; text must not have slipped.
same_lines() {
    local one other
    one=$(wc -l <"$1") other=$(wc -l <"$2")
    [ "$one" -gt 0 ] && [ "$one" -eq "$other" ] || { echo "error: $1 has $one lines, $2 has $other" >&2; return 1; }
}

# all_pairs [ARCHIVE MEMBER MEMBER]...: both sides of all corpora; a translation memory has no members (-).
all_pairs() {
    local corpus number language
    for number in 1 2; do
        language=$SOURCE
        [ "$number" = 1 ] || language=$TARGET
        for ((corpus = 1; corpus < $#; corpus += 3)); do
            case ${!corpus} in
                *.tmx.gz) gzip -dc "${!corpus}" | text tmx "$language" ;;
                *) local name=$((corpus + number)); member "${!corpus}" "${!name}" ;;
            esac
        done | gzip -1 >"$OUT/all.$language.gz"
    done
    same_lines <(gzip -dc "$OUT/all.$SOURCE.gz") <(gzip -dc "$OUT/all.$TARGET.gz")
}

# vocabulary SIZE NUMBER NEWS NEWS: sub-words of both languages, from so many lines of each.
vocabulary() {
    local size=$1 number=$2 file language mono=()
    shift 2
    for file; do
        language=$(basename "$file" .gz)
        language=${language#news.}
        text sample "$number" "$file" >"$OUT/some.$language"
        mono+=("$language=$OUT/some.$language")
    done
    prepare --subwords subword-nmt --vocab-size "$size" --mono "${mono[@]}"
}

# few_pairs NUMBER ALL VALID WORDS...: a data-bin of so many pairs; WORDS are prepare's.
few_pairs() {
    local number=$1 all=$2 valid=$3 language
    shift 3
    for language in "$SOURCE" "$TARGET"; do
        text sample "$number" "$all/all.$language.gz" | clean "$language" >"$OUT/train.$language"
    done
    prepare "$@" --parallel "$PAIR=$OUT/train" --valid-parallel "$PAIR=$valid"
}

# --- the recipe ---------------------------------------------------------------------------------

# get_news LANGUAGE: NEWS_TEXT is its sample of News Crawl afterwards.
get_news() {
    local language=$1 year address files=()
    for year in "${YEARS[@]}"; do
        address=${NEWS[$language]//YEAR/$year}
        get "$address"
        files+=("$FILE")
        [ "$address" != "${NEWS[$language]}" ] || break # it has no years
    done
    if [[ " ${PAIRS_AS_TEXT[*]:-} " = *" $language "* ]]; then files+=("$ALL_PAIRS/all.$language.gz"); fi
    stage "news.$language" news "$language" "$SENTENCES" "${files[@]}"
    NEWS_TEXT=$FOLDER/news.$language.gz
}

# get_pairs: ALL_PAIRS is the folder of all corpora afterwards.
get_pairs() {
    local line corpus words=()
    for line in "${PARALLEL[@]}"; do
        read -ra corpus <<<"$line"
        get "${corpus[0]}"
        words+=("$FILE" "${corpus[1]:--}" "${corpus[2]:--}")
    done
    stage pairs all_pairs "${words[@]}"
    ALL_PAIRS=$FOLDER
}

# get_text: TESTS, VOCABULARY_BIN and TEXT_BIN (its shards) afterwards.
get_text() {
    local language mono=() valid=() files=() shard
    if [ "${#PAIRS_AS_TEXT[@]}" -gt 0 ]; then get_pairs; fi
    for language in "$SOURCE" "$TARGET"; do
        get_news "$language"
        files+=("$NEWS_TEXT")
        mono+=("$language=$NEWS_TEXT")
    done
    get "$DEV"
    stage tests test_sets "$FILE" "${SETS[@]}"
    TESTS=$FOLDER
    for language in "$SOURCE" "$TARGET"; do valid+=("$language=$TESTS/valid.$language"); done
    stage vocabulary vocabulary "$VOCABULARY" "$VOCABULARY_LINES" "${files[@]}"
    VOCABULARY_BIN=$FOLDER/data-bin
    stage text prepare --like "$VOCABULARY_BIN" "${LIMITS[@]}" --shards "$SHARDS" --mono "${mono[@]}" \
        --valid-mono "${valid[@]}" --valid-parallel "$PAIR=$TESTS/valid"
    TEXT_BIN=$FOLDER/data-bin
    if [ "$SHARDS" -gt 1 ]; then
        TEXT_BIN+=/0
        for ((shard = 1; shard < SHARDS; shard++)); do TEXT_BIN+=:$FOLDER/data-bin/$shard; done
    fi
}

# score RUN SYSTEM SETTING DIRECTION SEED CHECKPOINT [PAPER]: translate the test set, record it.
score() {
    local run=$1 system=$2 setting=$3 direction=$4 seed=$5 checkpoint=$6 published=${7:-}
    local source=${direction%-*} target=${direction#*-}
    stage "$run.test" translate "$checkpoint" "$source" "$target" "$TESTS/$direction.$source" --beam "$BEAM"
    if [ "$target" = ro ]; then setting+=" (no diacritics)"; fi
    record "$run" "$system" "$setting" "$seed" "$FOLDER/translation.txt" "$TESTS/$direction.$target" "$target" "$published"
}

# pretrain: PRETRAINED is the checkpoint afterwards.
pretrain() {
    stage pretraining train_batches "$GPUS_OF_A_BATCH" "$TEXT_BIN" "${MODEL[@]}" "${PRETRAINING[@]}"
    PRETRAINED=$FOLDER/checkpoint_last.pt
}

# unsupervised SEED: one model of both directions.
unsupervised() {
    local seed=$1 direction checkpoint
    pretrain
    stage "unsupervised.$seed" train_batches "$GPUS_OF_A_BATCH" "$TEXT_BIN" "${MODEL[@]}" "${BACK_TRANSLATION[@]}" \
        --directions "$SOURCE-$TARGET,$TARGET-$SOURCE" --pretrained-checkpoint "$PRETRAINED" --seed "$seed"
    checkpoint=$FOLDER/checkpoint_best.pt
    for direction in "$SOURCE-$TARGET" "$TARGET-$SOURCE"; do
        score "unsupervised.$direction.$seed" "mass + back-translation" "$direction" "$direction" "$seed" \
            "$checkpoint" "${PAPER[$direction]}"
    done
}

# low_resource SYSTEM DIRECTION PAIRS SEED: a model of one direction, from MASS or from scratch.
low_resource() {
    local system=$1 direction=$2 number=$3 seed=$4 data start=()
    stage "pairs.$number" few_pairs "$number" "$ALL_PAIRS" "$TESTS/valid" --like "$VOCABULARY_BIN" "${LIMITS[@]}"
    data=$FOLDER/data-bin
    if [ "$system" = mass ]; then
        pretrain
        start=(--pretrained-checkpoint "$PRETRAINED")
    fi
    stage "$system.$direction.$number.$seed" train_batches "$GPUS_OF_A_BATCH" "$data" "${MODEL[@]}" \
        "${FINE_TUNING[@]}" --directions "$direction" --seed "$seed" ${start[@]+"${start[@]}"}
    score "$system.$direction.$number.$seed" "$system" "$direction, $number pairs" "$direction" "$seed" \
        "$FOLDER/checkpoint_best.pt"
}

# plan: RUNS are the words of all runs, NAMES what they are recorded under.
plan() {
    local seed number system direction
    RUNS=() NAMES=()
    for seed in "${SEEDS[@]}"; do
        RUNS+=("unsupervised $seed")
        NAMES+=("unsupervised.$SOURCE-$TARGET.$seed" "unsupervised.$TARGET-$SOURCE.$seed")
        for number in ${LOW_RESOURCE[@]+"${LOW_RESOURCE[@]}"}; do
            for system in scratch mass; do
                for direction in "$SOURCE-$TARGET" "$TARGET-$SOURCE"; do
                    RUNS+=("low_resource $system $direction $number $seed")
                    NAMES+=("$system.$direction.$number.$seed")
                done
            done
        done
    done
}

main() {
    local goal=${1:-all} run words
    case $goal in
        all | text | unsupervised | low-resource | result) ;;
        *) die "there is no $goal; say text, unsupervised, low-resource, result, or nothing for everything" ;;
    esac
    SOURCE=${PAIR%-*} TARGET=${PAIR#*-}
    count_processes "$GPUS_OF_A_BATCH"
    plan
    if [ "$goal" != result ]; then
        get_text
        if [[ $goal != unsupervised && ${#LOW_RESOURCE[@]} -gt 0 ]]; then get_pairs; fi
        [ "$goal" != text ] || return 0
        for run in "${RUNS[@]}"; do
            read -ra words <<<"$run"
            if [ "$goal" = all ] || [ "${goal/-/_}" = "${words[0]}" ]; then job "${words[@]}"; fi
        done
        finish_jobs
    fi
    write_result "${NAMES[@]}"
}
