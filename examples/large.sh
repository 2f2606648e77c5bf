# shellcheck shell=bash disable=SC2034 # what others read
# Sourced by the recipes of the paper's size: large downloads, and updates that have as many tokens on any number of GPUs.
#
# Set from outside, besides what common.sh reads: MIRROR (the files are MIRROR/HOST/PATH instead of
# https://HOST/PATH; file:///folder for a local copy), PROCESSES (that LAUNCH starts in all; default: the
# GPUs of this machine). KNOWN holds sizes (- if unknown) and SHA-256 sums of addresses, as far as they are published.
SHARED+=("${BASH_SOURCE[0]}") # the result depends on it

# download ADDRESS: on from where it was cut off; checked by size and sum if they are known, and as gzip.
download() {
    local source=$1 file=$OUT/${1##*/} size sum status=0
    if [ -n "${MIRROR:-}" ]; then source=$MIRROR/${1#*://}; fi
    local curl=(curl --fail --location --silent --show-error --retry 3 --output "$file.part" "$source")
    "${curl[@]}" --continue-at - || status=$?
    case $status in
        0) ;;
        22 | 33 | 36) # the server can't go on, or there is nothing left to get
            rm -f "$file.part"
            "${curl[@]}" ;;
        *) return "$status" ;;
    esac
    read -r size sum <<<"${KNOWN[$1]:-}"
    if [ -n "${size#-}" ] && [ "$(wc -c <"$file.part")" -ne "$size" ]; then
        echo "error: $source has $(wc -c <"$file.part") bytes, not $size" >&2
        rm "$file.part"
        return 1
    fi
    if [ -n "$sum" ] && ! echo "$sum  $file.part" | sha256sum --check --quiet -; then
        echo "error: $source has another checksum than the file that this recipe is for" >&2
        rm "$file.part"
        return 1
    fi
    case $file in *gz) gzip --test <"$file.part" || { rm "$file.part"; return 1; } ;; esac
    sha256sum <"$file.part" # for the log, where none is known
    mv "$file.part" "$file"
}

# get ADDRESS: FILE is its local copy afterwards.
get() {
    stage "download.${1##*/}" download "$1"
    FILE=$FOLDER/${1##*/}
}

# train_batches GPUS WORDS...: train, with the tokens of so many GPUs in an update, however many there are.
train_batches() {
    local gpus=$1
    shift
    train "$@" --update-freq "$((gpus / PROCESSES))"
}

# count_processes NUMBER...: PROCESSES afterwards; each number of batches can be shared by them.
count_processes() {
    local number
    if [ -z "${PROCESSES:-}" ]; then
        PROCESSES=1
        if [ "$GPU" = 1 ]; then PROCESSES=$(python -c 'import torch; print(torch.cuda.device_count())'); fi
    fi
    for number; do
        [ $((number % PROCESSES)) = 0 ] ||
            die "an update of $number GPUs' tokens can't be shared by $PROCESSES processes; choose a divisor"
    done
}
