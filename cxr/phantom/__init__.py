"""Synthetic chest radiographs made by code: anatomy drawn as attenuation, exposed, then displayed.

A picture is a sum of attenuations (body, air in the lungs, heart, bones, vessels, findings); an
exposure with scatter and quantum noise is simulated from it, and the logarithm of the exposure is
shown through a window as a digital detector shows it: dense is bright. The anatomy belongs to the
patient; view, pose and exposure belong to the image, and no draw of theirs knows of a finding.

    cohort.py      all patients of a study, the table of their labels, the archive of their images
    patient.py     who is examined: age, sex, findings, measures of the body
    radiograph.py  one image: view and pose, exposure, display, lead letter, collimation
    space.py       the coordinates of one patient in one pose
    organs.py · bones.py · vessels.py · findings.py · devices.py    what is drawn in them
    shapes.py      the brushes

The shapes are this project's own, after the landmarks that primers of chest radiology name; no
picture of a person went into them.
"""
