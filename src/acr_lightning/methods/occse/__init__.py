"""OC-CSE: what a CAM cuts out of a photo, an ordinary classifier must not miss, and nothing else.

Kweon, Yoon, Kim, Park and Yoon: Unlocking the Potential of Ordinary Classifier: Class-Specific Adversarial Erasing
Framework for Weakly Supervised Semantic Segmentation, ICCV 2021.
"""
