"""NSGA-II, random and exhaustive search on plain genomes with successive halving, and records of what was evaluated."""
