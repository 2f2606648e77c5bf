#!/usr/bin/env bash
# E-mails and their subject lines: from scratch, from MASS, and how the e-mail begins. See README.md and ../summarization.sh.
source "$(dirname "$0")/../common.sh"
source "$EXAMPLE/../summarization.sh"

ADDRESS=https://github.com/ryanzhumich/AESLC/archive/7afc087a1cc234d07121f0d4a2d87102ddceabc2.tar.gz
CHECKSUMS="
3bb8a1dae6647fc0c3364a84bd56635984af52af794f669388b644af4c751761 train.source
107e1d8892a797c0055241b7381a209d676b61a08358f0adea3133d28f2d7436 train.target
593564d3bda92e40f95df022fc52ef79c26a8be74a6c85f6747c7ebb99664051 pretraining.text
800fc71dcbc4ea6241084c1b0326450c8aee84d53087b5520f1f2950334357b9 valid.source
6dde302b99b9e6e8a75ad32d2a6d8dd64c40d4f8acd84fd8d4727e3625ee95bc valid.target
383232c5945491b467d4dabdd84d11ab69d7b8df434839f8b77a03b16c9c8f26 test.source
fc1ad6a3702958ce0cd832a97d79089e853ca6eb5296a64412b8b154136bb6a1 test.target
"
source "$CONFIG"

get_text() {
    local place=${DATA:-}
    if [ -z "$place" ]; then
        download "$ADDRESS" archive.tar.gz
        place=$OUT/archive.tar.gz
    fi
    text aeslc "$place" "$OUT" --valid "$VALID"
    mv "$OUT/train.text" "$OUT/pretraining.text"
    check_text
}

main "$@"
exit
