"""SEAM: a photo's CAM at two sizes should agree, and each with the other's, spread between like cells.

Wang, Zhang, Kan, Shan and Chen: Self-supervised Equivariant Attention Mechanism for Weakly Supervised Semantic
Segmentation, CVPR 2020.
"""
