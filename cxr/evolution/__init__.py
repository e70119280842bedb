"""NSGA-II on plain genomes: genes, sorting, selection, variation, survival, and records of what was evaluated."""
