# shellcheck shell=bash disable=SC2034 # ../summarization_large.sh reads it
# Everything that the result depends on, besides ../summarization_large.sh, which has the settings. Read by run.sh.

CLAIM="MASS reaches ROUGE-1/2/L 38.73/19.71/35.96 on Gigaword, about 3 more than without pre-training (the authors' release; paper, section 4.3), and is ahead with 10 K, 100 K and 1 M pairs"
STATUS="not run" # at this size; whoever runs it says "reproduced" or "scaled down" here

GIGAWORD=https://huggingface.co/datasets/Harvard/gigaword/resolve/main/data/ggw_data.zip
declare -A KNOWN=() # no published size or checksum; the archive has checksums of its own

PAIRS=(10000 100000 1000000 all)
PAPER=([all]=38.73/19.71/35.96)
LEAD=(8 --words --lowercase)
FINE_TUNING+=(--max-epoch 15 --eval-max-len-b 40)
# As with few pairs of translation: 20 000 updates at a lower rate. All others are 15 epochs.
FEW="--lr 1e-4 --max-epoch 0 --max-update 20000 --validate-interval 1000 --save-interval 1000 --validate-interval-updates 1000 --save-interval-updates 1000"
RATE=([10000]=$FEW [100000]=$FEW [1000000]=$FEW)
GENERATION=(--beam 5 --min-len 1 --max-len 40 --no-repeat-ngram 3 --length-penalty 1.0)
