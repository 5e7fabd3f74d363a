"""Learning from confident CAMs which neighbouring pixels belong together, and walking along it: PSA and IRN.

In the order in which data flows: `labels` (what is certain in a CAM), `pair_loss`, `checkpoint` (the networks),
`module` (their training), `inference` (the walk of each photo's CAM).
"""
