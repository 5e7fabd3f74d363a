"""PPC: each cell should be more like its class's prototype than like the others', within and between two sizes.

Du, Fu, Liu and Wang: Weakly Supervised Semantic Segmentation by Pixel-to-Prototype Contrast, CVPR 2022.
"""
