"""`yett eval`: how well the detectors find what labelled data says is there, and what it costs. docs/evaluation.md.

cases      files -> labelled texts
labels     whose words are whose: labels of the data, codes of the detectors
subject    what is measured: a text in, detections out (`gate` makes one of a gateway's detectors)
spans      places against places: the overlap rules of presidio-research
curves     scores against classes: AUROC, recall at a false positive rate
intervals  how sure a figure is
scoring    figures per file, per source and overall
examples   the worst misses and false alarms, masked
run        all of it, in order
page       the figures as one HTML file; plots draws, gates compares them with what is demanded
"""
