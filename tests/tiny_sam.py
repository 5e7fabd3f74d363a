"""A SAM and a SAM 2 small enough for a test, with random weights, in the folders that transformers writes."""

from pathlib import Path

import torch

SIDE = 64


def tiny_sam(folder: Path, kind: str) -> str:
    """Write one; it sees photos of 64 px, and is sure of its masks and that they are right. Needs transformers."""
    import transformers as hf

    torch.manual_seed(0)
    prompt = {"hidden_size": 32, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 8}
    decoder = {"hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 4, "iou_head_hidden_dim": 32}
    if kind == "sam":
        vision = {
            "hidden_size": 32, "output_channels": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_pos_feats": 16, "image_size": SIDE, "global_attn_indexes": [1], "window_size": 2, "mlp_dim": 64,
        }  # fmt: skip
        config = hf.SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)
        network = hf.SamModel(config)
        sizes = {"size": {"longest_edge": SIDE}, "pad_size": {"height": SIDE, "width": SIDE}}
        processor = hf.SamImageProcessor(
            **sizes, mask_size={"longest_edge": 16}, mask_pad_size={"height": 16, "width": 16}
        )
    else:
        backbone = {
            "model_type": "sam2_hiera_det_model", "hidden_size": 8, "image_size": [SIDE, SIDE],
            "embed_dim_per_stage": [8, 16, 32, 64], "blocks_per_stage": [1, 1, 2, 1],
            "num_attention_heads_per_stage": [1, 1, 1, 1], "window_size_per_stage": [4, 4, 2, 2],
            "global_attention_blocks": [3],
        }  # fmt: skip
        vision = {
            "backbone_config": backbone, "backbone_channel_list": [64, 32, 16, 8], "fpn_hidden_size": 32,
            "backbone_feature_sizes": [[SIDE // stride] * 2 for stride in (4, 8, 16)],
        }  # fmt: skip
        config = hf.Sam2Config(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)
        network = hf.Sam2Model(config)
        processor = hf.Sam2ImageProcessor(size={"height": SIDE, "width": SIDE}, mask_size={"height": 16, "width": 16})
    with torch.no_grad():
        network.mask_decoder.iou_prediction_head.proj_out.bias.fill_(5.0)
        for one in network.mask_decoder.output_hypernetworks_mlps:
            one.proj_out.weight.mul_(1e7)
    place = folder / kind
    network.save_pretrained(place)
    processor.save_pretrained(place)
    return str(place)
