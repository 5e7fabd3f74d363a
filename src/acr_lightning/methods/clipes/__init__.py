"""CLIP's own maps of a photo's tags, without any training: CLIP-ES by gradients, NACLIP without them.

Lin et al.: CLIP is Also an Efficient Segmenter, CVPR 2023; release linyq2117/CLIP-ES@3893f81. Hajimiri, Ben Ayed and
Dolz: Pay Attention to Your Neighbours, WACV 2025; release sinahmr/NACLIP@0cac3a6.
"""
