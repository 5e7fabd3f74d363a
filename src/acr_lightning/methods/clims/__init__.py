"""CLIMS: CLIP judges whether what a CAM shows is the class, and what it leaves out is not.

Xie, Hou, Ye and Shen: CLIMS: Cross Language Image Matching for Weakly Supervised Semantic Segmentation, CVPR 2022.
CLIP learned from texts of the web, which are more than tags. Its weights are the user's own, the package that holds the
network comes with `pip install '.[clims]'`.
"""
