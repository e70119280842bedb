"""pruning: which channels of a trained network can go, searched by NSGA-II, cut and fine-tuned."""
