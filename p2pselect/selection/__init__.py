"""Which regions of an image are kept: the certainty search and the run over a set of images."""
