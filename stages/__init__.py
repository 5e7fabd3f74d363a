"""The chain: what each stage reads, what it writes, its defaults, and how it runs.

fit → cam → (affinity_labels → affinity_train → affinity_walk) → (proposals) → label → segment → evaluate → report
"""
