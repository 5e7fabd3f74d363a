"""CPN: what a photo's two complementary halves show should add up to what the photo shows.

Zhang, Gu, Zhang and Dai: Complementary Patch for Weakly Supervised Semantic Segmentation, ICCV 2021.
"""
