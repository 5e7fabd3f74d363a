"""ReCAM: a softmax between the tags of a photo, on what each class's CAM covers, reweights the CAM.

Chen, Wang, Wu, Hua, Zhang and Sun: Class Re-Activation Maps for Weakly-Supervised Semantic Segmentation, CVPR 2022.
"""
