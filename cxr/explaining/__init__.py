"""explaining: which places of an image a network's answer rests on, and whether to believe such a map.

    maps.py       the map of one answer (HiResCAM)
    likeness.py   how alike two maps are
    sanity.py     do maps change when the weights behind them are drawn anew?
    geometry.py   where a box of the stored image lies in the prepared one
    phantoms.py   where the findings of a synthetic radiograph were drawn
    places.py     the boxes of a study's images and labels
    pointing.py   does the strongest place lie in the finding's box?
    overlay.py    what is shown: maps on images, likeness by layer
    folds.py      all of it for the network of one fold
    summary.py    what all folds together say

A map says what a score rests on, not where a disease is. Nothing here chooses anything: no model, no
threshold and no parameter comes from a map.

Shapes: N images, B of a batch, L labels, C channels, h and w the sides of maps, H and W of images, S
the side of a prepared image, K boxes.
"""
