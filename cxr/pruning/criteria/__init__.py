"""criteria: one file per way to rank the channels of a group; the file name is the word in params.yaml.

    scores(network, group, evidence) -> np.ndarray | None     float64 (channels,), higher is worth more

`network` is the trained parent and stays as it is; `evidence` (cxr.pruning.evidence) is what can be
known of it beside its weights. None says that the criterion has nothing to rank this group by, which
then stays whole. A file that says `GRADIENTS = True` needs `evidence.taylor`, one that says
`MOMENTS = True` needs `evidence.moments`.
"""
