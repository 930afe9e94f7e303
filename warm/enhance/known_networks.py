"""Recognition of networks that are mistaken for GFPGAN v1.4, by the names of their tensors."""

from collections.abc import Collection

MARKS = {
    "conv_body_first.0.weight": "GFPGAN v1, which is not the `clean` network of v1.2 to v1.4",
    "style_conv1.activate.bias": "GFPGAN v1, which is not the `clean` network of v1.2 to v1.4",
    "fuse_convs_dict.": "CodeFormer",
    "ft_layers.0.self_attn.": "CodeFormer",
    "quantize.embedding.weight": "RestoreFormer, or another network with a codebook",
    "ecd0.": "GPEN",
    "rdb1.conv1.weight": "Real-ESRGAN or ESRGAN, which enlarge pictures",
    "ClassHead.": "the face detector RetinaFace",
    "out_mask_conv.": "the face parser ParseNet",
    "cp.resnet.": "the face parser BiSeNet",
    "time_embedding.linear_1.weight": "a UNet, such as MuseTalk's",
    "quant_conv.weight": "an autoencoder of Stable Diffusion",
    "condition_scale.0.0.weight": "an incomplete GFPGAN, or one of another size",
    "style_mlp.1.weight": "a StyleGAN2 generator without the encoder of GFPGAN",
}
"""Part of a tensor's name, and the network that has it; the first match counts."""


def recognise(names: Collection[str]) -> str:
    """Return the network that has tensors of these names; empty if unknown."""
    return next((text for mark, text in MARKS.items() if any(mark in name for name in names)), "")
