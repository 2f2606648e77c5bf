# Everything that the result depends on. Read by run.sh.

CLAIM="MASS and back-translation learn to translate without a single pair (paper, table 2); Lample et al. 2018 reach 32.76, 32.07, 26.26 and 22.74 BLEU in en-fr, fr-en, de-en and en-de on this test set"
STATUS="scaled down"

VOCABULARY=6000
REPEAT=3 # times that the captions are read in an epoch of pre-training; the everyday sentences once

# One trilingual pre-training serves both pairs: about 5 epochs. An update has four batches of 1000 source tokens, shared
# by PROCESSES processes.
PRETRAINING=(--task mass_pretraining --masking span --span-ratio 0.5 --label-smoothing 0
    --dropout 0.1 --attention-dropout 0 --lr 1e-3 --lr-scheduler polynomial_decay
    --warmup-updates 400 --total-num-update 5500 --max-update 5500 --max-tokens 1000
    --update-freq $((4 / PROCESSES)) --seed 1
    --log-interval 100 --validate-interval 1000 --validate-interval-updates 500
    --save-interval 1000 --save-interval-updates 500)

# Where "aligned" systems start: vectors of all three languages in one space, learned from the text of pre-training.
ALIGNMENT=(--pivot en --dim 256)

# system -> flags. Back-translation of captions alone; a checkpoint by round-trip BLEU, without looking at a pair.
declare -A SYSTEMS=(
    [mass+bt]=""
    [mass+bt+denoising]="--denoising-weight 0:1,1000:0"
    [aligned+mass+bt]=""
    [aligned+mass+bt+denoising]="--denoising-weight 0:1,1000:0"
    [aligned+mass+bt+sampling]="--back-translation-sampling --back-translation-temperature 0.7"
)
BACK_TRANSLATION=(--task unsupervised_translation --label-smoothing 0 --dropout 0.1 --attention-dropout 0
    --lr 5e-4 --lr-scheduler polynomial_decay --warmup-updates 100 --total-num-update 2000 --max-tokens 1000
    --max-update 2000 --log-interval 50 --validate-interval 1000 --validate-interval-updates 250
    --save-interval 1000 --save-interval-updates 250
    --best-checkpoint-metric round_trip_bleu --maximize-best-checkpoint-metric)
PAIRS=(en-fr de-en)
# system, seed, and its pair where it is not for both
PLAN=("aligned+mass+bt+denoising 1" "aligned+mass+bt+denoising 2" "aligned+mass+bt 1" "aligned+mass+bt 2"
    "mass+bt+denoising 1" "mass+bt+denoising 2" "mass+bt 1" "mass+bt 2" "aligned+mass+bt+sampling 1 en-fr")
BEAM=5
