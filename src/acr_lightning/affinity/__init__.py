"""Learning from confident CAMs which neighbouring pixels belong together, and walking along it: PSA and IRN.

PSA: Ahn and Kwak, Learning Pixel-level Semantic Affinity with Image-level Supervision, CVPR 2018. IRN: Ahn, Cho and
Kwak, Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations, CVPR 2019.

In the order in which data flows: `affinity_net` and `boundary_net`, `pair_loss` (on labels made by
`labels.confident_label`), `learner` (their training), `walk_inference` (the walk of each photo's CAM).
"""
