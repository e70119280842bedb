"""Spaces that a search draws from: one file per space, genomes in, architectures as plain JSON out."""
