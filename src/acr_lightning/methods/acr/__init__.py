"""The method, ACR: adversarial learning of classifier and reconstructor.

Kweon, Yoon, Yoon: Weakly Supervised Semantic Segmentation via Adversarial Learning of Classifier and Reconstructor,
CVPR 2023, section 3. docs/method.md has the symbols, each formula's file, and where the authors' release differs.

In the order in which data flows: `target` (a class per image and its segment), `srf` (random feeding), `reconstructor`,
`ru_loss` (its update), `cu_loss` (the classifier's update), `module` (the two in turn).
"""
