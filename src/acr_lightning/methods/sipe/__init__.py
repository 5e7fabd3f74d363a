"""SIPE: each photo makes prototypes of its own classes, and cells near to one are its class.

Chen, Yang, Lai and Xie: Self-supervised Image-specific Prototype Exploration for Weakly Supervised Semantic
Segmentation, CVPR 2022.
"""
