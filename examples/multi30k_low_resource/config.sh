# Everything that the result depends on. Read by run.sh.

CLAIM="MASS is ahead of training from scratch when pairs are few (paper, figure 4), and of denoising pre-training (paper, table 3)"
STATUS="scaled down"

# Multi30k, task 1, raw text (CC BY-NC-SA 4.0): captions of photos in three languages.
ADDRESS=https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw
CHECKSUMS="
2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72 train.de
460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6 train.en
5925a3c18f1587b6b54b87743106e6e8ab93618edb6f65d19eac0621f853a10d train.fr
660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660 val.de
1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227 val.en
5304e444d842e962b2dda4d816b70b22a1765b15401642b7ca37a67477e708dc val.fr
4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16 test_2016_flickr.de
399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182 test_2016_flickr.en
cb3160d69b002bb638e66cc7612fcd56cb0af82eadc9c142dedc438afb885ef6 test_2016_flickr.fr
"

VOCABULARY=6000

# 3 + 3 layers of width 256, the same for every system.
MODEL=(--arch mass_tiny --criterion label_smoothed_cross_entropy --optimizer adam --adam-betas "(0.9,0.98)"
    --clip-norm 1.0 --autocast-bfloat16)

# One trilingual pre-training an objective: 6000 updates of 2000 source tokens, about 7 epochs.
PRETRAINING=(--task mass_pretraining --label-smoothing 0 --dropout 0.1 --lr 1e-3 --lr-scheduler polynomial_decay
    --warmup-updates 400 --total-num-update 6000 --max-update 6000 --max-tokens 2000 --seed 1
    --log-interval 100 --validate-interval 1000 --validate-interval-updates 1000
    --save-interval 1000 --save-interval-updates 500)
declare -A OBJECTIVE=([mass]="--masking span --span-ratio 0.5" [denoising]="--masking infilling --span-ratio 0.3")

# Fine-tuning: pairs -> updates of 1000 source tokens; all else is the same for all systems.
declare -A UPDATES=([1000]=1000 [5000]=2000 [29000]=5000)
FINE_TUNING=(--task seq2seq_finetuning --label-smoothing 0.1 --dropout 0.3 --lr 1e-3 --lr-scheduler inverse_sqrt
    --warmup-updates 200 --max-tokens 1000 --log-interval 100 --eval-bleu
    --best-checkpoint-metric bleu --maximize-best-checkpoint-metric)
declare -A DIRECTIONS=([1000]="de-en en-fr" [5000]=de-en [29000]=de-en)
PLAN=("1000 1" "5000 1" "1000 2 3" "29000 1") # pairs and seeds; cheap runs first, to have something to show early
BEAM=5
