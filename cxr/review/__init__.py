"""review: what a change of the project does to its results, on one Markdown and one HTML page.

`flows.review` lays two sides of a change into a folder, base/ and head/, with changes.json: which stages
changed and because of what. evidence reads them, differences tells which differences of test metrics are
more than noise, tables sets parameters and data side by side, figures draws, markdown and page write.

A verdict is of two networks on one set of patients, with Holm's correction over all that are compared
(Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics
6:65-70). It knows nothing of the spread between trainings: the same recipe under another seed is another
network too. A change of the seed alone is therefore chance whatever an interval says, and shows how wide
chance is in the study at hand.

Shapes, as in `cxr.metrics`: N images, L labels, B resamples, V measured values.
"""
