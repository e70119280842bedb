"""sharded: a training whose batches are cut into fixed shards, worked by any number of one-thread processes.

A recipe with `shards: k` cuts every batch into k parts, always the same ones. Each part goes forward
and backward by itself; the parts' gradients are then added in the order of the parts, everywhere, and
every process takes the same step. So k decides the bytes, and the number of processes does not: 1, 2
and 4 give the same weights, on one machine or on several of one class (`make doctor`).

What a shard has for itself: its BatchNorm statistics, its mix-up and its dropout, drawn under the
step and the shard's number. What the batch has as a whole: its images and their changes, which are
those of an unsharded training, and the mean of the loss, also where labels are unknown or weighted.
Without BatchNorm, mix-up and dropout the gradient is that of the unsharded batch but for rounding.

The processes of one machine are started by the stage, as many as CXR_WORKERS or the cores say. More
can join from other machines, each with a clone at the same commit and a copy of the data:

    CXR_JOIN_AT=tcp://10.0.0.1:29400 CXR_JOIN_WORKERS=2 CXR_JOIN_SECRET_FILE=join.secret make repro
    python -m cxr.training.sharded tcp://10.0.0.1:29400 --workers 2 --secret-file join.secret

Who does not know the secret is given no task and can't join. What is sent is neither code nor
pickles, but it is not encrypted: use a network that you trust.

Source: torch.distributed, "Gloo backend". Goyal et al. 2017, "Accurate, large minibatch SGD",
section 3: BatchNorm's statistics are of the part that a worker sees.
"""
