"""Divide images into parts so that no group crosses and every part has its share of every label.

parts        the whole method, made of those below
grouping     which images stay together: by_patient, with equal pixels and near duplicates, or by_image
stratify     place whole groups so that each part has its share of each label
holdout      one division that respects a data set's own lists, or k folds, test in turn
rotation     k folds around one test part: val goes round, the rest that is held out stays
assignments  a division made before: old groups stay, new ones are placed by keyed hash
account      count what came out, and whether anything crosses after all
picture      the labels of each part as bars
"""
