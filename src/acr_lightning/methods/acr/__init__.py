"""The method: adversarial learning of classifier and reconstructor (Kweon, Yoon, Yoon, CVPR 2023).

In the order in which data flows: `target` (a class per image and its segment), `srf` (random feeding), `ru_loss` (the
reconstructor's update), `cu_loss` (the classifier's update), `module` (the two in turn).
"""
