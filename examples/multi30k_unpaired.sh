# Sourced by the recipes that learn from unpaired captions, after multi30k.sh: halves that share no caption, everyday
# sentences beside them, one vocabulary. VOCABULARY and REPEAT are config.sh's.
SHARED+=("${BASH_SOURCE[0]}")
source "$(dirname "${BASH_SOURCE[0]}")/shared_training.sh"

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

# captions PAIR FOLDERS.. [NUMBER]: the halves alone; pairs for validation, and the first NUMBER pairs to train on.
captions() {
    local pair=$1 number=${5:-0} language mono=() valid=() parallel=()
    for language in "${pair%-*}" "${pair#*-}"; do
        mono+=("$language=$HALVES/train.$language")
        valid+=("$language=$HALVES/val.$language")
    done
    if [ "$number" -gt 0 ]; then
        for language in "${pair%-*}" "${pair#*-}"; do
            head -n "$number" "$TEXT/train.$language" >"$OUT/pairs.$language"
        done
        parallel=(--parallel "$pair=$OUT/pairs")
    fi
    prepare --like "$MIXED" --mono "${mono[@]}" --valid-mono "${valid[@]}" --valid-parallel "$pair=$TEXT/val" \
        ${parallel[@]+"${parallel[@]}"}
}

# prepare_unpaired: afterwards TEXT is the folder of the raw text, HALVES that of the halves, MIXED the data-bin of
# pre-training.
prepare_unpaired() {
    stage text get_text
    TEXT=$FOLDER
    stage voice get_voice
    VOICES=$FOLDER
    stage halves halves "$TEXT"
    HALVES=$FOLDER
    stage mixed mixed "$HALVES" "$VOICES" "$VOCABULARY" "$REPEAT"
    MIXED=$FOLDER/data-bin
}

# pretrain: one MASS of all languages; afterwards FOLDER is its folder. MODEL and PRETRAINING are config.sh's.
pretrain() { shared_training pretraining "$MIXED" "${MODEL[@]}" "${PRETRAINING[@]}"; }

# pretrain_aligned: the same from vectors that have the languages in one space. ALIGNMENT is config.sh's.
pretrain_aligned() {
    stage vectors align "$MIXED" "${ALIGNMENT[@]}"
    shared_training pretraining.aligned "$MIXED" "${MODEL[@]}" "${PRETRAINING[@]}" --pretrained-embeddings "$FOLDER/vectors.txt"
}

# align DATA WORDS...: vectors of its tokens.
align() { python -m mass_plugins align "$@" --output "$OUT/vectors.txt"; }

# both PAIR: "en-fr fr-en"
both() {
    echo "$1 ${1#*-}-${1%-*}"
}

# score RUN SYSTEM SETTING DIRECTION SEED CHECKPOINT: translate the test set and record it.
score() {
    local run=$1 name=$2 setting=$3 source=${4%-*} target=${4#*-} seed=$5 checkpoint=$6
    stage "$run.test" translate "$checkpoint" "$source" "$target" "$TEXT/test_2016_flickr.$source" --beam "$BEAM"
    record "$run" "$name" "$setting" "$seed" "$FOLDER/translation.txt" "$TEXT/test_2016_flickr.$target" "$target"
}

# remember_curve RUN: that the training in FOLDER is RUN's, for draw_curves.
remember_curve() {
    ln -sfn "$PWD/$FOLDER/log.txt" "$RECORDS/$1.log"
}

# draw_curves METRICS RUN...: curves.png of the trainings that were remembered, beside result.json.
draw_curves() {
    local metrics=$1 run logs=()
    shift
    for run in "$@"; do [ ! -e "$RECORDS/$run.log" ] || logs+=("$run=$RECORDS/$run.log"); done
    [ "${#logs[@]}" -gt 0 ] || return 0
    python -m mass_plugins plot "${logs[@]}" --metrics "$metrics" --output curves.png
    [ "$CONFIG" != "$EXAMPLE/config.sh" ] || cp curves.png "$EXAMPLE/curves.png"
}
