# shellcheck shell=bash disable=SC2034 # run.sh reads it
# Everything that the result depends on, besides ../multi30k.sh and ../multi30k_unpaired.sh. Read by run.sh.

CLAIM="MASS is ahead of pre-training by BERT and a language model, and of denoising: 37.5, 33.4 and 30.1 BLEU in unsupervised en-fr (paper, table 3)"
STATUS="scaled down"

VOCABULARY=6000
REPEAT=3 # times that the captions are read in an epoch of pre-training; the everyday sentences once

# Where all start: vectors of the three languages in one space, learned from the text of pre-training.
ALIGNMENT=(--pivot en --dim 256)

# The same text, updates, model and source tokens for each objective.
PRETRAINING=(--task mass_pretraining --label-smoothing 0 --dropout 0.1 --attention-dropout 0
    --lr 1e-3 --lr-scheduler polynomial_decay --warmup-updates 400 --total-num-update 3000 --max-update 3000
    --max-tokens 2000 --seed 1 --log-interval 100 --validate-interval 1000 --validate-interval-updates 1000
    --save-interval 1000 --save-interval-updates 500)
declare -A OBJECTIVE=(
    [MASS]="--masking span --span-ratio 0.5"
    [DAE]="--masking denoising --word-shuffle 3 --word-drop 0.1 --word-blank 0.1"
    [BERT+LM]="--masking bert-lm --span-ratio 0.15"
)
SYSTEMS=(MASS DAE BERT+LM)

# With pairs: the first 1000, German to English.
DIRECTION=de-en NUMBER=1000 UPDATES=800
SEEDS=(1 2 3)
FINE_TUNING=(--task seq2seq_finetuning --label-smoothing 0.1 --dropout 0.3 --lr 1e-3 --lr-scheduler inverse_sqrt
    --warmup-updates 200 --max-tokens 1000 --log-interval 100 --eval-bleu
    --best-checkpoint-metric bleu --maximize-best-checkpoint-metric)

# Without: back-translation of captions between English and French.
PAIR=en-fr
BACK_TRANSLATION=(--task unsupervised_translation --label-smoothing 0 --dropout 0.1 --attention-dropout 0
    --lr 5e-4 --lr-scheduler polynomial_decay --warmup-updates 100 --total-num-update 1000 --max-tokens 1000
    --max-update 1000 --log-interval 50 --validate-interval 1000 --validate-interval-updates 200
    --save-interval 1000 --save-interval-updates 200
    --best-checkpoint-metric round_trip_bleu --maximize-best-checkpoint-metric)
UNPAIRED_SEEDS=(1)
BEAM=5
