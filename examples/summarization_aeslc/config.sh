# shellcheck shell=bash disable=SC2034 # ../summarization.sh reads it
# Everything that the result depends on, besides ../summarization.sh. Read by run.sh.

CLAIM="MASS is ahead of training from scratch in abstractive summarization, the more so the fewer pairs (paper, section 4.3: Gigaword at 10 K to 3.8 M pairs)"
STATUS="scaled down"

VALID=437   # of 1749 e-mails of the validation set; those of other people are the test
VOCABULARY=8000
LONGEST=200 # sub-words of an e-mail; the rest of longer ones is cut off
LEAD=(14 --words) # chosen on the validation e-mails among 4, 6, 8, 10, 12, 14, 16, 18, 20, 24 and 30 words

# Blocks of 256 tokens that ignore line ends, half of each window of 64 masked, about 8 epochs. An update has four
# batches of 1024 source tokens, shared by PROCESSES processes.
PRETRAINING=(--task mass_pretraining --masking block --tokens-per-block 256 --span-ratio 0.5 --label-smoothing 0
    --dropout 0.1 --attention-dropout 0 --lr 1e-3 --lr-scheduler polynomial_decay
    --warmup-updates 400 --total-num-update 4500 --max-update 4500 --max-tokens 1024
    --update-freq $((4 / PROCESSES)) --seed 1
    --log-interval 100 --validate-interval 1000 --validate-interval-updates 500
    --save-interval 1000 --save-interval-updates 500)

PAIRS=(1000 5000 all)
SEEDS=(1)
declare -A UPDATES=([1000]=600 [5000]=2000 [all]=5000)
FINE_TUNING=(--task seq2seq_finetuning --label-smoothing 0.1 --dropout 0.3 --lr 1e-3 --lr-scheduler inverse_sqrt
    --warmup-updates 200 --max-tokens 4000 --long-lines truncate --log-interval 100
    --eval-rouge --eval-max-len-a 0 --eval-max-len-b 24
    --best-checkpoint-metric rougeL --maximize-best-checkpoint-metric)
GENERATION=(--beam 5 --max-len 24 --no-repeat-ngram 3)
