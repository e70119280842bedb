"""Guesses of how good a network will be, at the price of a glance: one file per proxy.

    score(network, images_B1HW, labels_BL, cost) -> float     higher is said to be better

`network` has its first weights and its head and is left as it came; images are normalised, as in
training; labels are 1, 0 or NaN (unknown); `cost` is the network's (cxr.architectures.Cost). A proxy
draws nothing. Whether it ranks networks at all is measured (cxr.metrics.rank) before it is trusted:
parameters and MACs stand here because they are what the others have to beat, and often don't (Li et
al. 2023, "ZiCo", ICLR; White et al. 2022, "A deeper look at zero-cost proxies for lightweight NAS").
"""
