"""Learning from confident CAMs which neighbouring pixels belong together, and walking along it: PSA and IRN.

In the order in which data flows: `pair_loss` (on labels made by `labels.confident_label`), `checkpoint` (the networks),
`module` (their training), `inference` (the walk of each photo's CAM).
"""
