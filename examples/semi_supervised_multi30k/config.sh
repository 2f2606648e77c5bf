# Everything that the result depends on, beside the pre-training of the unsupervised recipe. Read by run.sh.
source "$(dirname "${BASH_SOURCE[0]}")/../unsupervised_multi30k/config.sh"

CLAIM="Beside 1000 pairs, back-translation of unpaired text is worth more than the pairs alone (Sennrich et al. 2016)"
STATUS="scaled down"

NUMBER=1000 # pairs
# system -> task and flags; both choose a checkpoint by BLEU on the validation pairs
PAIRS_ALONE=(--task seq2seq_finetuning --eval-bleu --label-smoothing 0.1 --dropout 0.3 --lr 1e-3
    --lr-scheduler inverse_sqrt --warmup-updates 200 --max-tokens 1000 --max-update 1200)
PAIRS_AND_TEXT=(--task unsupervised_translation --pairs-weight 1 --label-smoothing 0.1 --dropout 0.1 --lr 1e-3
    --lr-scheduler inverse_sqrt --warmup-updates 200 --max-tokens 1000 --max-update 1500)
BOTH=(--log-interval 50 --validate-interval 1000 --validate-interval-updates 150 --save-interval 1000
    --save-interval-updates 150 --best-checkpoint-metric bleu --maximize-best-checkpoint-metric)
PLAN=("pairs+bt 1" "pairs 1" "pairs 2" "pairs+bt 2") # system and seed
