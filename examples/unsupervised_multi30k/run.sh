#!/usr/bin/env bash
# English-French and German-English without a pair: MASS and back-translation. See README.md.
#
#   bash run.sh              everything; go on after an interruption with the same command
#   bash run.sh result       result.json from the runs that have ended
#   DATA=folder bash run.sh  text that is here already (train.de or train.de.gz, .., voice.en, voice.fr, voice.de)
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../multi30k.sh"
source "$CONFIG"

# Everyday sentences, to be read aloud for Common Voice (CC0 1.0).
VOICE=https://github.com/mozilla/voice-web/archive/e0bfbc4be9eb6a97f7dd92eb938200f09f04ba96.tar.gz
VOICE_CHECKSUMS="
0538b208aaac57ade8b5a1eaabf860a485257f22a85573ee4cd0ae23beb03e96 voice.en
9cce259f5d1384c593aa395ae05769236b42496d4a0fb59817c2b565a824f296 voice.fr
eb3563618d12fa17eba033cd20cd8049bc880cd1f33d4e4c4bb733df00509619 voice.de
"
LANGUAGES=(de en fr)

# Each language's files in one, sorted, without addresses, names of towns and the largest, which are encyclopaedic.
get_voice() {
    local checksum file language
    if [ -z "${DATA:-}" ]; then
        curl --fail --location --silent --show-error --retry 3 --output "$OUT/voice.tar.gz.part" "$VOICE"
        for language in "${LANGUAGES[@]}"; do
            tar -xzf "$OUT/voice.tar.gz.part" --wildcards --exclude='*/addresses-*' --exclude='*/wiki*' \
                --exclude='*/europarl*' --exclude='*/singleword*' --exclude='*cities*' \
                --exclude='*/fr/sentence-collector.txt' "*/server/data/$language/*.txt" --to-command='cat; echo' |
                tr -d '\r' | LC_ALL=C sort -u | sed '/^$/d' >"$OUT/voice.$language.tmp"
        done
        rm "$OUT/voice.tar.gz.part"
    else
        for language in "${LANGUAGES[@]}"; do
            cp "$DATA/voice.$language" "$OUT/voice.$language.tmp" ||
                { echo "error: DATA=$DATA has no voice.$language" >&2; return 1; }
        done
    fi
    while read -r checksum file; do
        [ -z "$file" ] && continue
        echo "$checksum  $OUT/$file.tmp" | sha256sum --check --quiet - ||
            { echo "error: $file has another checksum than the text of the card" >&2; return 1; }
        mv "$OUT/$file.tmp" "$OUT/$file"
    done <<<"$VOICE_CHECKSUMS"
}

# Halves without overlap: English from the first captions, the other languages from the last.
halves() {
    local language half
    for language in "${LANGUAGES[@]}"; do
        if [ "$language" = en ]; then half=(head -n); else half=(tail -n); fi
        "${half[@]}" 14500 "$TEXT/train.$language" >"$OUT/train.$language"
        "${half[@]}" 507 "$TEXT/val.$language" >"$OUT/val.$language"
    done
}

# Text of pre-training: the halves, REPEAT times, and the everyday sentences. The vocabulary is learned on it, too.
mixed() {
    local language turn mono=() valid=()
    for language in "${LANGUAGES[@]}"; do
        { for ((turn = 0; turn < REPEAT; turn++)); do cat "$HALVES/train.$language"; done
          cat "$VOICES/voice.$language"; } >"$OUT/mixed.$language"
        mono+=("$language=$OUT/mixed.$language")
        valid+=("$language=$HALVES/val.$language")
    done
    prepare --vocab-size "$VOCABULARY" --keep-duplicates --mono "${mono[@]}" --valid-mono "${valid[@]}"
}

# captions PAIR: the halves alone; pairs for validation, which are only looked at.
captions() {
    local pair=$1 language mono=() valid=()
    for language in "${pair%-*}" "${pair#*-}"; do
        mono+=("$language=$HALVES/train.$language")
        valid+=("$language=$HALVES/val.$language")
    done
    prepare --like "$MIXED" --mono "${mono[@]}" --valid-mono "${valid[@]}" --valid-parallel "$pair=$TEXT/val"
}

# system PAIR NAME SEED
system() {
    local pair=$1 name=$2 seed=$3 pretraining data direction source target checkpoint
    stage pretraining train "$MIXED" "${MODEL[@]}" "${PRETRAINING[@]}"
    pretraining=$FOLDER
    stage "captions-$pair" captions "$pair" "$MIXED" "$HALVES" "$TEXT"
    data=$FOLDER/data-bin
    source=${pair%-*} target=${pair#*-}
    stage "$name.$pair.$seed" train "$data" "${MODEL[@]}" "${BACK_TRANSLATION[@]}" \
        --directions "$source-$target,$target-$source" --pretrained-checkpoint "$pretraining/checkpoint_last.pt" \
        --seed "$seed" ${SYSTEMS[$name]}
    checkpoint=$FOLDER/checkpoint_best.pt
    for direction in "$source-$target" "$target-$source"; do
        score "$name.$direction.$seed" "$name" "$direction" "$seed" "$checkpoint"
    done
}

# score RUN SYSTEM DIRECTION SEED CHECKPOINT
score() {
    local run=$1 name=$2 source=${3%-*} target=${3#*-} seed=$4 checkpoint=$5
    stage "$run.test" translate "$checkpoint" "$source" "$target" "$TEXT/test_2016_flickr.$source" --beam "$BEAM"
    record "$run" "$name" "$source-$target" "$seed" "$FOLDER/translation.txt" "$TEXT/test_2016_flickr.$target"
}

main() {
    local pair run names=() direction
    stage text get_text
    TEXT=$FOLDER
    stage voice get_voice
    VOICES=$FOLDER
    stage halves halves "$TEXT"
    HALVES=$FOLDER
    stage mixed mixed "$HALVES" "$VOICES" "$VOCABULARY" "$REPEAT"
    MIXED=$FOLDER/data-bin
    for pair in "${PAIRS[@]}"; do
        for direction in "$pair" "${pair#*-}-${pair%-*}"; do
            record "copy.$direction" copy "$direction" 0 "$TEXT/test_2016_flickr.${direction%-*}" \
                "$TEXT/test_2016_flickr.${direction#*-}"
            names+=("copy.$direction")
        done
    done
    for run in "${PLAN[@]}"; do
        for pair in "${PAIRS[@]}"; do
            for direction in "$pair" "${pair#*-}-${pair%-*}"; do names+=("${run% *}.$direction.${run#* }"); done
            [ "${1:-}" = result ] || job system "$pair" $run
        done
    done
    finish_jobs
    write_result "${names[@]}"
}

main "$@"
exit
