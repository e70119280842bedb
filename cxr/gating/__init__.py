"""gating: may a newly trained model (the challenger) take the place of the registered one (the champion)?

acceptance lines both models up on one frozen list of images, measures takes AUROC, sensitivity and
calibration of both under the same resamples of patients, rules holds the intervals against limits,
verdict says what follows, figures draws it.

Every rule is judged by an interval: the central percentile interval of the bootstrap over patients
(see `cxr.metrics.intervals`), for a comparison of the paired difference challenger - champion, both
measured on the same resample. It holds with a one-sided error of (1 - confidence) / 2 at each end.
All rules must be shown to hold, so that the chance of promoting a model which breaks one of them is at
most about that error, however many rules there are; what grows with their number is the chance of
turning a good model away (Berger 1982, "Multiparameter hypothesis testing and acceptance sampling",
Technometrics 24:295-300). Non-inferiority with a margin: Piaggio et al. 2012, JAMA 308:2594-2604.

In simulation with 160 patients a bound that should err in 10 % of the cases erred in 10 to 11 %, for an
equal challenger as for one just at the margin (tests/gating/test_error_rates.py).

What the interval does not know:
- the spread between trainings: one challenger is judged, not its recipe;
- rare classes: with few positive patients the percentile interval is too narrow, and has no width at
  all where a model makes no mistake on them or both models decide alike; hence `min_patients`, below
  which nothing is judged;
- ECE: each resample has it too high, the more so the better calibrated a model is. A ceiling on it is
  therefore stricter than it looks and its margin milder; the Brier score, a plain mean, has no such bias;
- other patients: of another hospital, device or year than those of the list;
- earlier looks at the same list: each opening is one more chance to get through by luck
  (Dwork et al. 2015, "The reusable holdout", Science 349:636-638), so they are counted and shown.

Shapes, as in `cxr.metrics`: N images, L labels, B resamples, V measured quantities, R bins. Labels: 1
present, 0 absent, NaN unknown. Undefined results are NaN.
"""
