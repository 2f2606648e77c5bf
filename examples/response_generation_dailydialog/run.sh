#!/usr/bin/env bash
# DailyDialog's answers: from scratch and from MASS on its turns and on self-dialogues. See README.md.
#
#   bash run.sh              everything; go on after an interruption with the same command
#   bash run.sh pretrain     the pre-training alone
#   bash run.sh result       result.json from the runs that have ended
#   DATA=folder bash run.sh  text that is here already: dialogues_train.txt, dialogues_validation.txt (these without what is
#                            in the test set), self_dialogue.train.jsonl, each plain or .xz
#   PROCESSES=4 bash run.sh  so many share the pre-training
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../responses.sh"
source "$EXAMPLE/../shared_training.sh"

DAILY=https://raw.githubusercontent.com/Ls-Dai/Deep-Reinforcement-Learning-for-Dialogue-Generation-in-PyTorch/bae51b16e3e8c0ce4ffd70b75ecfc40fbeb8e7ee/data
SELF=https://github.com/jfainberg/self_dialogue_corpus/archive/113a1b0ff10308f1227c13a4aaded9bc85577816.tar.gz
CHECKSUMS="
6ce50837466710401ff51d1f004beebeefc902dbf8fa7ef4f551914d93807d75 train.source
867847f2250902cb40a58f37cdf3a2c56c333a56b63ea6d0910d851229115c90 train.target
0fd0e2a54306faf8ff94ef5d6cbf62c47a1684b8e147a3cede843ca2015085b8 valid.source
3086895fbae70732e7c0774b87a8842075f5caa4cc0201abb55bc784764d73ea valid.target
1b877ef03a778239e4243f8a2d0cd94dc187713f8e8d13cd912c84193ac278f0 test.source
8bf4e35bb8d47d629e1b10a5c1acb3a8ae5708fd9cc791eaeb5f335576ddaa9f test.target
"
source "$CONFIG"
[ -z "${DATA:-}" ] || CALLED="DATA=folder" # its text to pre-train on is not the download's to the letter

# present NAME: the file of DATA, plain or packed.
present() {
    local file
    for file in "$DATA/$1" "$DATA/$1.xz"; do [ ! -e "$file" ] || { echo "$file"; return; }; done
    echo "error: DATA=$DATA has neither $1 nor $1.xz" >&2
    return 1
}

# get_text: {train,valid,test}.{source,target}, train.text and valid.text, dialogue.json; both texts in pretraining.text.
get_text() {
    local split place=() others checksum file
    if [ -n "${DATA:-}" ]; then
        for split in train validation; do # not in one assignment: its status is that of the last command
            file=$(present "dialogues_$split.txt")
            place+=("$file")
        done
        others=$(present self_dialogue.train.jsonl)
    else
        for split in train validation test; do
            curl --fail --location --silent --show-error --retry 3 --output "$OUT/$split.raw" "$DAILY/$split/dialogues_$split.txt"
        done
        curl --fail --location --silent --show-error --retry 3 --output "$OUT/self.tar.gz" "$SELF"
        place=("$OUT/train.raw" "$OUT/validation.raw" --leave-out "$OUT/test.raw") others=$OUT/self.tar.gz
    fi
    dialogues daily "${place[@]:0:2}" "$OUT" --valid "$VALID" --turns "$TURNS" ${place[@]:2}
    while read -r checksum file; do
        [ -z "$file" ] && continue
        echo "$checksum  $OUT/$file" | sha256sum --check --quiet - ||
            { echo "error: $file has another checksum than the text of the card" >&2; return 1; }
    done <<<"$CHECKSUMS"
    { cat "$OUT/train.text"; dialogues self "$others"; } >"$OUT/pretraining.text"
}

all_text() {
    prepare --vocab-size "$VOCABULARY" --max-words 0 --max-characters 0 --mono en="$1/pretraining.text" --valid-mono en="$1/valid.text"
}

pretrain() { shared_training pretraining "$ALL" "${MODEL[@]}" "${PRETRAINING[@]}"; }

# system NAME PAIRS SEED
system() {
    local name=$1 number=$2 seed=$3 run=$1.$2.$3 start=() data updates=${UPDATES[$1.$2]} every
    every=$((updates / 10))
    if [ "$name" = mass ]; then
        pretrain
        start=(--pretrained-checkpoint "$FOLDER/checkpoint_last.pt")
    fi
    stage "pairs-$number" few_pairs "$number" "$TEXT" "$ALL"
    data=$FOLDER/data-bin
    stage "$run" train "$data" "${MODEL[@]}" "${FINE_TUNING[@]}" --directions en-en --seed "$seed" \
        --max-update "$updates" --validate-interval 1000 --validate-interval-updates "$every" \
        --save-interval 1000 --save-interval-updates "$every" ${start[@]+"${start[@]}"}
    responses "$run" "$name" "$number pairs" "$seed" "$FOLDER/checkpoint_best.pt" "$TEXT"
}

main() {
    local goal=${1:-all} number seed name names=()
    case $goal in all | pretrain | result) ;; *) die "there is no $goal; say pretrain, result, or nothing for everything" ;; esac
    for number in "${PAIRS[@]}"; do
        for name in "${SYSTEMS[@]}"; do
            for seed in ${SEEDS[$number]}; do names+=("$name $number $seed"); done
        done
    done
    stage text get_text
    TEXT=$FOLDER
    if [ "$goal" != result ]; then
        stage data-all all_text "$TEXT"
        ALL=$FOLDER/data-bin
        if [ "$goal" = pretrain ]; then pretrain; return 0; fi
        first_job pretrain
        for name in "${names[@]}"; do [[ $name != scratch* ]] || job system $name; done # nothing that waits for it
        for name in "${names[@]}"; do [[ $name != mass* ]] || job system $name; done
        finish_jobs
    fi
    write_result "${names[@]// /.}"
}

main "$@"
exit
