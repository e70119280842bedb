"""training: fine-tuning a network on prepared images, deterministically, and the models it leaves."""
