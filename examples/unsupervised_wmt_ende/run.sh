#!/usr/bin/env bash
# English and German news without a pair, and with few pairs, at the paper's size. See README.md and ../wmt.sh.
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../wmt.sh"
source "$CONFIG"
main "$@"
exit
