"""AEFT: class logits from the CAM at several resolutions; what is left of an erased photo keeps its embedding.

Yoon, Kweon, Cho, Kim and Yoon: Adversarial Erasing Framework via Triplet with Gated Pyramid Pooling Layer for Weakly
Supervised Semantic Segmentation, ECCV 2022.
"""
