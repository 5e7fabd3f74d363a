"""CDA: objects of an earlier round of labels are pasted where their context is missing.

Su, Sun, Lin and Wu: Context Decoupling Augmentation for Weakly Supervised Semantic Segmentation, ICCV 2021. It is data
of stage `fit`, for any method.
"""
