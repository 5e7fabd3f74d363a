"""RIB: a classifier is finetuned on a single photo, without the sigmoid, and all CAMs on the way are summed.

Lee, Choi, Mok and Yoon: Reducing Information Bottleneck for Weakly Supervised Semantic Segmentation, NeurIPS 2021. It
makes CAMs with any classifier of stage `fit`.
"""
