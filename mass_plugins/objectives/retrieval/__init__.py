"""Fine-tuning for retrieval: contrast, hard negatives, distillation, and the cross-encoder that teaches."""
