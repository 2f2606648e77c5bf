# shellcheck shell=bash disable=SC2034 # what common.sh reads
# Sourced by the recipes of real summaries on a small scale, after common.sh and before CONFIG: text, pre-training on
# documents in blocks, fine-tuning on few and on all pairs, ROUGE. What is theirs alone is in run.sh: get_text, which
# fills $OUT with {train,valid,test}.{source,target} and pretraining.text.
#
#   bash run.sh              everything; go on after an interruption with the same command
#   bash run.sh pretrain     the pre-training alone
#   bash run.sh lead         the lead baseline alone, which needs no model
#   bash run.sh result       result.json from the runs that have ended
#   DATA=folder bash run.sh  text that is here already
#   PROCESSES=4 bash run.sh  so many share the pre-training
SHARED=("${BASH_SOURCE[0]}") # the result depends on it
source "$(dirname "${BASH_SOURCE[0]}")/summaries.sh"
source "$(dirname "${BASH_SOURCE[0]}")/shared_training.sh"

# 3 + 3 layers of width 256, the same for every system.
MODEL=(--arch mass_tiny --criterion label_smoothed_cross_entropy --optimizer adam --adam-betas "(0.9,0.98)"
    --clip-norm 1.0 --autocast-bfloat16)

# check_text: the files of $OUT against the sums of the card.
check_text() {
    local checksum file
    while read -r checksum file; do
        [ -z "$file" ] && continue
        echo "$checksum  $OUT/$file" | sha256sum --check --quiet - ||
            { echo "error: $file has another checksum than the text of the card" >&2; return 1; }
    done <<<"$CHECKSUMS"
}

# download ADDRESS FILE: into $OUT/FILE.
download() {
    curl --fail --location --silent --show-error --retry 3 --output "$OUT/$2.part" "$1"
    mv "$OUT/$2.part" "$OUT/$2"
}

# Sub-words of documents and summaries; pre-training text in lines of any length, for blocks ignore line ends.
all_text() {
    cut -f 1 "$1/valid.target" >"$OUT/valid.target" # one of several references
    cp "$1/valid.source" "$OUT/valid.source"
    prepare --vocab-size "$VOCABULARY" --max-words 0 --max-characters 0 --max-pieces "$LONGEST" \
        --mono en="$1/pretraining.text" --valid-mono en="$1/valid.text" \
        --parallel en-en="$1/train" --valid-parallel en-en="$OUT/valid"
}

# pairs ALL TEXT NUMBER: a data-bin of so many pairs, with the vocabulary of pre-training.
pairs() {
    local side
    for side in source target; do head -n "$3" "$2/train.$side" >"$OUT/train.$side"; done
    cut -f 1 "$2/valid.target" >"$OUT/valid.target"
    cp "$2/valid.source" "$OUT/valid.source"
    prepare --like "$1" --keep-duplicates --max-pieces "$LONGEST" --parallel en-en="$OUT/train" --valid-parallel en-en="$OUT/valid"
}

pretrain() { shared_training pretraining "$ALL" "${MODEL[@]}" "${PRETRAINING[@]}"; }

# setting NUMBER: its name; "all" has no number in it.
setting() { echo "$1 pairs"; }

# system NAME PAIRS SEED
system() {
    local name=$1 number=$2 seed=$3 run=$1.$2.$3 start=() data count=$2 every=$((${UPDATES[$2]} / 5))
    if [ "$name" = lead ]; then
        stage lead lead "$TEXT" "${LEAD[@]}"
        record "$run" lead "$(setting "$number")" 0 "$FOLDER/summaries.txt" "$TEXT/test.target"
        return
    fi
    if [ "$name" = mass ]; then
        pretrain
        start=(--pretrained-checkpoint "$FOLDER/checkpoint_last.pt")
    fi
    [ "$number" != all ] || count=$(wc -l <"$TEXT/train.source")
    stage "pairs-$number" pairs "$ALL" "$TEXT" "$count"
    data=$FOLDER/data-bin
    stage "$run" train "$data" "${MODEL[@]}" "${FINE_TUNING[@]}" --directions en-en --seed "$seed" \
        --max-update "${UPDATES[$number]}" --validate-interval 1000 --validate-interval-updates "$every" \
        --save-interval 1000 --save-interval-updates "$every" ${start[@]+"${start[@]}"}
    stage "$run.test" summarize "$FOLDER/checkpoint_best.pt" "$TEXT/test.source" --truncate $((LONGEST + 1)) \
        "${GENERATION[@]}" # documents end where those of training did, at LONGEST sub-words and </s>
    record "$run" "$name" "$(setting "$number")" "$seed" "$FOLDER/summaries.txt" "$TEXT/test.target"
}

main() {
    local goal=${1:-all} number seed name names=()
    case $goal in all | pretrain | lead | result) ;; *) die "there is no $goal; say pretrain, lead, result, or nothing" ;; esac
    stage text get_text
    TEXT=$FOLDER
    if [ "$goal" = all ] || [ "$goal" = pretrain ]; then
        stage data-all all_text "$TEXT"
        ALL=$FOLDER/data-bin
    fi
    for number in "${PAIRS[@]}"; do # the lead needs no training: the table has it first
        names+=("lead $number 0")
        for name in scratch mass; do
            for seed in "${SEEDS[@]}"; do names+=("$name $number $seed"); done
        done
    done
    case $goal in
        pretrain) pretrain; exit ;;
        all) for name in "${names[@]}"; do [[ $name != lead* ]] || system $name; done
             first_job pretrain
             for name in "${names[@]}"; do [[ $name != scratch* ]] || job system $name; done # nothing that waits for it
             for name in "${names[@]}"; do [[ $name != mass* ]] || job system $name; done
             finish_jobs ;;
        lead) for name in "${names[@]}"; do [[ $name != lead* ]] || system $name; done ;;
    esac
    write_result "${names[@]// /.}"
}
