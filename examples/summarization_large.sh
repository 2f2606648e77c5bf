# shellcheck shell=bash disable=SC2034 # what common.sh reads
# Sourced by the summarization recipes of the paper's size, after common.sh and before CONFIG: Wikipedia, pre-training in
# blocks, fine-tuning on few and on all pairs, ROUGE. A run.sh names a set by its functions get_pairs and lead.
#
#   bash run.sh                everything; go on after an interruption with the same command
#   bash run.sh text           downloads and prepares the text alone
#   bash run.sh pretrain       the pre-training alone; both recipes share it in one WORK
#   bash run.sh result         result.json from the runs that have ended
#
# Set from outside, besides what common.sh reads: MIRROR and PROCESSES, see large.sh.
source "$(dirname "${BASH_SOURCE[0]}")/large.sh"
source "$(dirname "${BASH_SOURCE[0]}")/summaries.sh"
SHARED+=("${BASH_SOURCE[0]}") # the result depends on it

# --- settings, the same for both sets -----------------------------------------------------------

# Wikimedia's own plain text of 2023-11-01, 6.4 M articles
WIKIPEDIA=https://huggingface.co/datasets/wikimedia/wikipedia/resolve/main/20231101.en
PARTS=41
VOCABULARY=30000         # lower-cased, as the authors' BERT vocabulary of 30 522
VOCABULARY_LINES=2000000 # paragraphs to learn it from
SHARDS=41                # stretches of the text, one an epoch
LONGEST=511              # sub-words of a document without </s>; the rest of longer ones is cut off

# --max-tokens is that of a GPU; an update has the tokens of so many: 4096 blocks of 512 in pre-training.
GPUS_OF_PRETRAINING=128
GPUS_OF_FINE_TUNING=8
BATCH_TOKENS=128000 # of generation: 50 documents of 512 sub-words with a beam of 5; lower it where memory is short

MODEL=(--arch mass_base --cross-attend-masked --criterion label_smoothed_cross_entropy --dropout 0.1 --attention-dropout 0.1
    --optimizer adam --adam-betas "(0.9,0.98)" --autocast-bfloat16 --log-interval 100)
PRETRAINING=(--task mass_pretraining --masking block --tokens-per-block 512 --tokens-per-window 64
    --span-ratio 0.5 --mask-keep-rand "0.8,0.1,0.1" --label-smoothing 0
    --adam-eps 1e-6 --weight-decay 0.01 --clip-norm 0 --lr 5e-4 --lr-scheduler polynomial_decay
    --warmup-updates 10000 --total-num-update 125000 --max-tokens 16384 --max-update 125000
    --validate-interval 100000 --save-interval 100000 --validate-interval-updates 2500 --save-interval-updates 2500 --seed 1)
FINE_TUNING=(--task seq2seq_finetuning --directions en-en --label-smoothing 0.1 --clip-norm 0
    --lr 5e-4 --lr-scheduler inverse_sqrt --warmup-updates 4000 --warmup-init-lr 1e-7
    --max-tokens 4096 --long-lines truncate --truncate-source 512
    --eval-rouge --eval-max-len-a 0 --best-checkpoint-metric rougeL --maximize-best-checkpoint-metric)
declare -A PAPER=() # number of pairs -> ROUGE-1/2/L of MASS
declare -A RATE=()  # number of pairs -> flags that differ with so few
SYSTEMS=(scratch mass)
SEEDS=(1)

# --- stages: called by `stage`, write to $OUT ---------------------------------------------------

paragraphs() {
    text wikipedia "$@" | gzip -1 >"$OUT/wikipedia.gz.tmp"
    mv "$OUT/wikipedia.gz.tmp" "$OUT/wikipedia.gz"
}

# few_pairs COUNT TEXT LIKE: a data-bin of so many pairs, with the vocabulary of pre-training.
few_pairs() {
    local count=$1 folder=$2 like=$3
    if [ "$count" = all ]; then
        ln -f "$folder/train.source" "$folder/train.target" "$OUT/"
    else
        text sample "$count" "$folder" "$OUT"
    fi
    prepare --like "$like" --keep-duplicates --max-pieces "$LONGEST" --parallel en-en="$OUT/train" --valid-parallel en-en="$folder/valid"
}

# --- the recipe ---------------------------------------------------------------------------------

# get_wikipedia: TEXT_BIN is its shards afterwards, LIKE the first of them.
get_wikipedia() {
    local number files=() name
    for ((number = 0; number < PARTS; number++)); do
        printf -v name 'train-%05d-of-00041.parquet' "$number"
        get "$WIKIPEDIA/$name"
        files+=("$FILE")
    done
    stage wikipedia paragraphs "${files[@]}"
    stage wikipedia-text prepare --lowercase --vocab-size "$VOCABULARY" --subword-lines "$VOCABULARY_LINES" \
        --max-words 0 --max-characters 0 --max-pieces 0 --running-text --keep-duplicates --shards "$SHARDS" \
        --mono en="$FOLDER/wikipedia.gz"
    LIKE=$FOLDER/data-bin TEXT_BIN=$FOLDER/data-bin
    if [ "$SHARDS" -gt 1 ]; then
        LIKE+=/0 TEXT_BIN+=/0
        for ((number = 1; number < SHARDS; number++)); do TEXT_BIN+=:$FOLDER/data-bin/$number; done
    fi
}

pretrain() {
    stage pretraining train_batches "$GPUS_OF_PRETRAINING" "$TEXT_BIN" "${MODEL[@]}" "${PRETRAINING[@]}"
}

# system NAME PAIRS SEED
system() {
    local name=$1 number=$2 seed=$3 run=$1.$2.$3 start=() data
    if [ "$name" = lead ]; then
        stage lead lead "$TEXT" "${LEAD[@]}"
        record "$run" lead "$number pairs" 0 "$FOLDER/summaries.txt" "$TEXT/test.target"
        return
    fi
    stage "pairs-$number" few_pairs "$number" "$TEXT" "$LIKE"
    data=$FOLDER/data-bin
    if [ "$name" = mass ]; then
        pretrain
        start=(--pretrained-checkpoint "$FOLDER/checkpoint_last.pt")
    fi
    stage "$run" train_batches "$GPUS_OF_FINE_TUNING" "$data" "${MODEL[@]}" "${FINE_TUNING[@]}" ${RATE[$number]:-} \
        --seed "$seed" ${start[@]+"${start[@]}"}
    stage "$run.test" summarize "$FOLDER/checkpoint_best.pt" "$TEXT/test.source" "${GENERATION[@]}"
    if [ "$name" = mass ]; then
        record "$run" "$name" "$number pairs" "$seed" "$FOLDER/summaries.txt" "$TEXT/test.target" en "${PAPER[$number]:-}"
    else
        record "$run" "$name" "$number pairs" "$seed" "$FOLDER/summaries.txt" "$TEXT/test.target"
    fi
}

main() {
    local goal=${1:-all} number seed name names=()
    case $goal in
        all | text | pretrain | result) ;;
        *) die "there is no $goal; say text, pretrain, result, or nothing for everything" ;;
    esac
    count_processes "$GPUS_OF_PRETRAINING" "$GPUS_OF_FINE_TUNING"
    for number in "${PAIRS[@]}"; do
        names+=("lead $number 0")
        for name in "${SYSTEMS[@]}"; do
            for seed in "${SEEDS[@]}"; do names+=("$name $number $seed"); done
        done
    done
    if [ "$goal" != result ]; then
        get_wikipedia
        if [ "$goal" = pretrain ]; then pretrain; return 0; fi
        get_pairs
        [ "$goal" != text ] || return 0
        for name in "${names[@]}"; do job system $name; done
        finish_jobs
    fi
    write_result "${names[@]// /.}"
}
