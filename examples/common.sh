# Sourced by the run.sh of every example: stages that can be cut off at any moment and go on.
#
#   stage NAME FUNCTION WORDS...   call FUNCTION WORDS with $OUT = the stage's folder, unless it is done
#   job FUNCTION WORDS...          the same as FUNCTION WORDS, in the background, $JOBS at a time
#   finish_jobs                    wait for all jobs; stops the recipe if one failed
#
# A stage's folder is NAME-HASH in $WORK, the hash being that of FUNCTION's words: another setting is
# another folder, and nothing made before is lost. Words that name folders of earlier stages carry
# their hashes along. A stage is done when its folder holds .done, whatever else lies there: a
# training that was cut off goes on from its last checkpoint. Two jobs may ask for the same stage:
# the second waits for the first.
#
# A run.sh ends in a call of main, so that it can be edited while it runs: bash reads on in a script as it goes.
#
# Set from outside: WORK (where everything is written; default: work/ beside run.sh), DATA (a folder with
# the raw text, where the recipe takes one), CONFIG (another config.sh), JOBS and THREADS (processes at a
# time and threads of each; default: one process a core on a CPU, one in all on a GPU), LAUNCH (words
# before fairseq-train, like `torchrun --standalone --nproc_per_node 8`).

set -Eeuo pipefail
shopt -s inherit_errexit

EXAMPLE=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)
ROOT=$(cd "$EXAMPLE/../.." && pwd)
WORK=${WORK:-$EXAMPLE/work}
CONFIG=$(realpath "${CONFIG:-$EXAMPLE/config.sh}")
export PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1

plugin() { python -m mass_plugins "$@"; }
say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

if [ -x "$ROOT/.venv/bin/python" ] && [ -z "${VIRTUAL_ENV:-}" ]; then PATH="$ROOT/.venv/bin:$PATH"; fi
if [ -n "${DATA:-}" ]; then # stages are run in WORK
    [ -d "$DATA" ] || die "DATA=$DATA is no folder; name the one with the text"
    DATA=$(realpath "$DATA")
fi
command -v fairseq-train >/dev/null || die "fairseq-train is not on the PATH; run 'make setup' in $ROOT and activate .venv"

# bfloat16 is there for its speed: a processor that has none of it trains in float32.
read -r GPU BFLOAT16 < <(PYTHONPATH=$(dirname "${BASH_SOURCE[0]}")/../mass_plugins python -c '
import doctor, torch
gpu = torch.cuda.is_available()
print(int(gpu), int(gpu or doctor.cpu_bfloat16_speed() >= doctor.BFLOAT16_GAINS))')
if [ "$GPU" = 1 ]; then
    DEVICE=()
    JOBS=${JOBS:-1} THREADS=${THREADS:-4}
else
    DEVICE=(--cpu)
    JOBS=${JOBS:-$(getconf _NPROCESSORS_ONLN)} THREADS=${THREADS:-1}
fi
export OMP_NUM_THREADS=$THREADS

SHARED=() # files besides config.sh and run.sh that fix the result
CALLED="" # variables that change the result, like DATA=folder: they stand before the command in it
SCORING=() # more flags of the scoring code
SCORER=translation_runs # module of mass_plugins/scoring that reads the recorded runs
# What write_result is made from: a folder for each recipe and configuration, for several may share WORK.
RECORDS=runs/${EXAMPLE##*/}-$(cat "$CONFIG" "$EXAMPLE/run.sh" | sha256sum | head -c 8)
STAGES=$RECORDS/stages # file that lists the folders of the recipe's stages
mkdir -p "$WORK/$RECORDS"
cd "$WORK"
exec 9>.lock
flock --nonblock 9 || die "another run.sh is at work in $WORK; wait for it, or set WORK to another folder"
# Each job is a process group of its own: Ctrl-C and kill reach all that it started.
trap 'trap - INT TERM; stop_jobs; exit 130' INT TERM
trap 'stop_jobs' EXIT

# The folder of a stage: its name and the hash of the words that it is called with.
folder() {
    local name=$1
    shift
    printf '%s-%s' "$name" "$(printf '%s\0' "$@" | sha256sum | head -c 8)"
}

# FOLDER is the stage's folder afterwards.
stage() {
    local name=$1 status=0 started=$SECONDS
    shift
    FOLDER=$(folder "$name" "$@")
    echo "$FOLDER" >>"$STAGES"
    mkdir -p "$FOLDER"
    [ ! -e "$FOLDER/.done" ] || return 0
    exec 8>"$FOLDER/.lock" # held by the stage's program, too: one that outlives its recipe is waited for
    flock --nonblock 8 || { say "$FOLDER: another is at work on it; waiting"; flock 8; }
    if [ ! -e "$FOLDER/.done" ]; then
        say "$FOLDER: starts"
        count_cut_off "$FOLDER"
        touch "$FOLDER/.begun"
        set +e # not `|| status=$?`: that would switch set -e off within
        (set -e; OUT=$FOLDER; "$@" 9>&-) >>"$FOLDER/log.txt" 2>&1
        status=$?
        set -e
        echo $((SECONDS - started)) >>"$FOLDER/.seconds"
        rm "$FOLDER/.begun"
        if [ "$status" -ne 0 ]; then
            tail -n 5 "$FOLDER/log.txt" >&2
            die "$FOLDER failed with status $status; all it said: $WORK/$FOLDER/log.txt"
        fi
        touch "$FOLDER/.done"
        say "$FOLDER: done in $((SECONDS - started)) s"
    fi
    exec 8>&-
}

# count_cut_off FOLDER: the seconds of a call that was killed, up to the last words of its log.
count_cut_off() {
    [ -e "$1/.begun" ] && [ -e "$1/log.txt" ] || return 0
    echo $(($(stat -c %Y "$1/log.txt") - $(stat -c %Y "$1/.begun"))) | sed '/-/d' >>"$1/.seconds"
}

PIDS=()

job() {
    while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do
        wait -n || { stop_jobs; exit 1; }
    done
    set -m
    ("$@") 9>&- &
    PIDS+=($!)
    set +m
}

finish_jobs() {
    local pid
    while [ "$(jobs -rp | wc -l)" -gt 0 ]; do
        wait -n || { stop_jobs; exit 1; }
    done
    for pid in ${PIDS[@]+"${PIDS[@]}"}; do
        wait "$pid" || exit 1
    done
    PIDS=()
}

stop_jobs() {
    local pid
    for pid in $(jobs -rp); do
        kill -TERM -- "-$pid" 2>/dev/null || true
    done
    wait
}

# --- what stages are made of: called by `stage`, write to $OUT ----------------------------------

# fetch SHA256 ADDRESS FILE: into $OUT/FILE, unpacked if its address ends in .gz; the checksum is that
# of the unpacked text, so that a local copy may be packed or not. With DATA=FOLDER, from there.
fetch() {
    local checksum=$1 address=$2 file=$3 source
    if [ -n "${DATA:-}" ]; then
        for source in "$DATA/$file" "$DATA/$file.gz"; do [ -e "$source" ] && break; done
        [ -e "$source" ] || { echo "error: DATA=$DATA has neither $file nor $file.gz" >&2; return 1; }
        cp "$source" "$OUT/$(basename "$source").part"
    else
        source=$address
        curl --fail --location --silent --show-error --retry 3 --output "$OUT/$(basename "$source").part" "$source"
    fi
    case $source in
        *.gz) gzip -dc "$OUT/$(basename "$source").part" >"$OUT/$file.tmp"; rm "$OUT/$(basename "$source").part" ;;
        *) mv "$OUT/$(basename "$source").part" "$OUT/$file.tmp" ;;
    esac
    echo "$checksum  $OUT/$file.tmp" | sha256sum --check --quiet - ||
        { echo "error: $source has another checksum than the text of the card" >&2; return 1; }
    mv "$OUT/$file.tmp" "$OUT/$file"
}

# prepare WORDS...: preprocess/prepare.py into $OUT/data-bin.
prepare() {
    python "$ROOT/preprocess/prepare.py" "$@" --destdir "$OUT/data-bin" --overwrite
}

# train WORDS...: fairseq-train into $OUT, on from its last checkpoint where there is one.
train() {
    local launch word words=()
    read -ra launch <<<"${LAUNCH:-}"
    for word in "$@"; do
        if [ "$word" = --autocast-bfloat16 ] && [ "$BFLOAT16" = 0 ]; then
            echo "--autocast-bfloat16 is left out: this processor computes no faster in bfloat16"
        else
            words+=("$word")
        fi
    done
    # by its path, as torchrun wants it
    ${launch[@]+"${launch[@]}"} "$(command -v fairseq-train)" "${words[@]}" --user-dir "$ROOT/mass_plugins" \
        ${DEVICE[@]+"${DEVICE[@]}"} --save-dir "$OUT" \
        --no-epoch-checkpoints --keep-interval-updates 1 --log-format json --num-workers 0
}

# translate CHECKPOINT SOURCE TARGET FILE WORDS...: raw text in FILE to raw text in $OUT/translation.txt.
translate() {
    local checkpoint=$1 source=$2 target=$3 file=$4
    shift 4
    python -m mass_plugins translate "$checkpoint" --source "$source" --target "$target" --buffer 2000 "$@" \
        <"$file" >"$OUT/translation.txt.tmp"
    mv "$OUT/translation.txt.tmp" "$OUT/translation.txt"
}

# record NAME SYSTEM SETTING SEED TRANSLATION REFERENCE [LANGUAGE [PAPER]]: one line for write_result, under NAME.
# LANGUAGE, of the translation, is needed with SCORING=(--tokenized-bleu ...); PAPER is a published number.
record() {
    local name=$1
    shift
    (IFS=$'\t'; echo "$*") >"$RECORDS/$name.tsv.tmp"
    mv "$RECORDS/$name.tsv.tmp" "$RECORDS/$name.tsv"
}

# about_result: RESULT_FLAGS afterwards, which every scoring command takes: the claim, what was called, what it rests on.
about_result() {
    local command="bash examples/${EXAMPLE##*/}/run.sh"
    [ -z "$CALLED" ] || command="$CALLED $command"
    [ "${PROCESSES:-1}" -eq 1 ] || command="PROCESSES=$PROCESSES $command"
    [ -z "${LAUNCH:-}" ] || command="LAUNCH=\"$LAUNCH\" $command"
    RESULT_FLAGS=(--claim "$CLAIM" --status "$STATUS" --command "$command" --example "$EXAMPLE"
        --config "$CONFIG" "$EXAMPLE/run.sh" "${SHARED[@]}")
}

# seconds_of_stages: that the recipe's stages took, all added up.
seconds_of_stages() {
    sort -u "$STAGES" | while read -r folder; do
        [ ! -e "$folder/.seconds" ] || cat "$folder/.seconds"
    done | awk '{ sum += $1 } END { print sum + 0 }'
}

# write_result NAME...: result.json in $WORK from the runs of these names that this configuration has recorded, those
# apart that are not there yet; beside run.sh, too, unless CONFIG is another. CLAIM and STATUS are config.sh's.
write_result() {
    local name files=()
    for name in "$@"; do [ ! -e "$RECORDS/$name.tsv" ] || files+=("$RECORDS/$name.tsv"); done
    [ "${#files[@]}" -gt 0 ] || die "no run of this configuration has ended yet; run it without \"result\""
    say "result from ${#files[@]} of $# runs"
    about_result
    python -m "mass_plugins.scoring.$SCORER" "${files[@]}" "${RESULT_FLAGS[@]}" --output result.json \
        ${SCORING[@]+"${SCORING[@]}"} --seconds "$(seconds_of_stages)"
    [ "$CONFIG" != "$EXAMPLE/config.sh" ] || cp result.json "$EXAMPLE/result.json"
}
