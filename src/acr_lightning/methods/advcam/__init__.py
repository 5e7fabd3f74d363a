"""AdvCAM: photos are changed so that a class shows more, and all CAMs on the way are summed.

Lee, Kim and Yoon: Anti-Adversarially Manipulated Attributions for Weakly and Semi-Supervised Semantic Segmentation,
CVPR 2021. Nothing is trained: it makes CAMs with any classifier of stage `fit`.
"""
