"""Spaces that a search draws from: one file per space, genomes in, architectures as plain JSON out.

A space has `Params` (its choices), `PRETRAINED` (whether timm's weights fit its networks in part) and

    genes(settings)                             what can be chosen
    architecture(genome, settings, *, size_px)  the network for images of size_px, for cxr.architectures
    smallest(settings, *, size_px)              genomes of which one costs no more than any other that
                                                the space has, in parameters, MACs and activations
                                                alike, and works on images as small: so caps that none
                                                can meet are told before anything runs
    fixed_size(settings)                        whether a network is bound to the side it was made for

Genes that don't matter for a network leave no trace in its architecture, so that genomes that differ
in nothing else are one network. Nothing here needs torch.
"""
